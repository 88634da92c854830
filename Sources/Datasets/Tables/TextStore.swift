/// Many texts without the overhead of separate strings: their bytes lie one after the other in blocks.
struct TextStore: Sendable {
  /// Where a text lies; 12 bytes.
  struct Place: Sendable {
    fileprivate let block: UInt32
    fileprivate let start: UInt32
    fileprivate let count: UInt32
  }

  private var blocks: [[UInt8]] = []
  private static let blockSize = 1 << 20

  mutating func append(_ text: String) -> Place {
    var text = text
    return text.withUTF8 { bytes in
      if blocks.last.map({ $0.count + bytes.count > $0.capacity }) ?? true {
        var block: [UInt8] = []
        block.reserveCapacity(max(Self.blockSize, bytes.count))
        blocks.append(block)
      }
      let block = blocks.count - 1
      let start = blocks[block].count
      blocks[block].append(contentsOf: bytes)
      return Place(block: UInt32(block), start: UInt32(start), count: UInt32(bytes.count))
    }
  }

  subscript(place: Place) -> String { String(decoding: bytes(place), as: UTF8.self) }

  fileprivate func bytes(_ place: Place) -> ArraySlice<UInt8> {
    blocks[Int(place.block)][Int(place.start)..<Int(place.start) + Int(place.count)]
  }

  var byteCount: Int { blocks.reduce(0) { $0 + $1.capacity } }
}

/// Texts numbered from 0 in the order of their first appearance, each stored once.
struct TextIndex: Sendable {
  private var store = TextStore()
  private var places: [TextStore.Place] = []
  /// Open addressing: numbers plus one, 0 for a free slot; at most half full.
  private var slots = [UInt32](repeating: 0, count: 1024)

  var count: Int { places.count }
  var byteCount: Int { store.byteCount + places.capacity * 12 + slots.capacity * 4 }

  subscript(number: UInt32) -> String { store[places[Int(number)]] }

  /// The text's number, a new one if it was not there.
  mutating func number(of text: String) -> UInt32 {
    if places.count * 2 >= slots.count { grow() }
    var text = text
    let slot = text.withUTF8 { self.slot(of: $0) }
    if slots[slot] == 0 {
      places.append(store.append(text))
      slots[slot] = UInt32(places.count)
    }
    return slots[slot] - 1
  }

  /// The slot that holds the text, or the free one where it belongs.
  private func slot(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var slot = Self.hash(bytes) & (slots.count - 1)
    while slots[slot] != 0 {
      if store.bytes(places[Int(slots[slot] - 1)]).elementsEqual(bytes) { break }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    for (number, place) in places.enumerated() {
      let free = store.bytes(place).withUnsafeBufferPointer { slot(of: $0) }
      slots[free] = UInt32(number + 1)
    }
  }

  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    return hasher.finalize()
  }
}
