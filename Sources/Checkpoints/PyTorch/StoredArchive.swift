/// The records of a zip archive without compression, as PyTorch writes them.
///
/// Sizes and places come from the central directory, because PyTorch leaves them out of the local headers. Everything
/// that could make two readers disagree about the contents is refused: compression, records under paths that lead
/// elsewhere, two records of a name, overlapping records, and sizes that differ between the places that state them.
struct StoredArchive {
  /// Where the data of each record lies in the file.
  private(set) var records: [String: Range<Int>] = [:]

  private let file: UnsafeRawBufferPointer
  private let path: String

  private static let endSize = 22
  private static let longestComment = 0xFFFF
  private static let mostRecords = 1_000_000

  init(_ file: UnsafeRawBufferPointer, path: String) throws(PyTorchError) {
    self.file = file
    self.path = path
    let directory = try centralDirectory()
    var cursor = ByteCursor(
      UnsafeRawBufferPointer(rebasing: file[..<directory.bytes.upperBound]), at: directory.bytes.lowerBound)
    var places: [(name: String, bytes: Range<Int>)] = []
    for _ in 0..<directory.count {
      let start = cursor.offset
      guard let header = Header(&cursor) else { throw damaged("a directory entry ends too early", start) }
      let name = try safeName(header.name, start)
      let data = try dataRange(of: header, named: name, before: directory.bytes.lowerBound, start)
      guard records.updateValue(data, forKey: name) == nil else { throw failure(.repeatedRecord(name), start) }
      // From the local header on: headers must not lie inside of other records either.
      places.append((name, header.localOffset..<data.upperBound))
    }
    guard cursor.remaining == 0 else { throw damaged("the directory is longer than its entries", cursor.offset) }
    places.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
    for (first, second) in zip(places, places.dropFirst()) where second.bytes.lowerBound < first.bytes.upperBound {
      throw failure(.overlappingRecords(first.name, second.name), second.bytes.lowerBound)
    }
  }

  private func failure(_ problem: PyTorchError.Problem, _ offset: Int) -> PyTorchError {
    PyTorchError(path: path, offset: offset, problem: problem)
  }

  private func damaged(_ why: String, _ offset: Int) -> PyTorchError { failure(.damagedArchive(why), offset) }
}

// MARK: - The end of the archive

extension StoredArchive {
  private struct Directory {
    let count: Int
    let bytes: Range<Int>
  }

  /// Finds the end record, which a comment of any length may follow, and with it the directory.
  private func centralDirectory() throws(PyTorchError) -> Directory {
    var end: Int?
    for start in stride(
      from: file.count - Self.endSize, through: max(0, file.count - Self.endSize - Self.longestComment), by: -1)
    where file[start] == 0x50 && file.loadUnaligned(fromByteOffset: start, as: UInt32.self) == 0x0605_4B50 {
      let comment = Int(UInt16(littleEndian: file.loadUnaligned(fromByteOffset: start + 20, as: UInt16.self)))
      if start + Self.endSize + comment == file.count {
        end = start
        break
      }
    }
    guard let end else { throw failure(.noCentralDirectory, file.count) }
    var cursor = ByteCursor(file, at: end + 4)
    guard let disk = cursor.count(UInt16.self), let startDisk = cursor.count(UInt16.self),
      let countHere = cursor.count(UInt16.self), let count = cursor.count(UInt16.self),
      let size = cursor.count(UInt32.self), let offset = cursor.count(UInt32.self)
    else { throw failure(.noCentralDirectory, end) }
    guard disk == 0, startDisk == 0, count == countHere else { throw damaged("it is split over several files", end) }
    guard let large = try largeEnd(before: end) else {
      return try directory(count: count, size: size, offset: offset, endsAt: end)
    }
    let fields = [
      (count, 0xFFFF, large.count), (size, 0xFFFF_FFFF, large.size), (offset, 0xFFFF_FFFF, large.offset),
    ]
    guard fields.allSatisfy({ $0.0 == $0.1 || $0.0 == $0.2 }) else {
      throw damaged("its two end records disagree", end)
    }
    return try directory(count: large.count, size: large.size, offset: large.offset, endsAt: large.start)
  }

  private func directory(count: Int, size: Int, offset: Int, endsAt end: Int) throws(PyTorchError) -> Directory {
    guard size <= end, offset == end - size else {
      throw damaged("its directory does not lie where the end record says", end)
    }
    guard count <= Self.mostRecords else { throw failure(.tooManyValues(limit: Self.mostRecords), end) }
    return Directory(count: count, bytes: offset..<end)
  }

  private struct LargeEnd {
    let start: Int
    let count: Int
    let size: Int
    let offset: Int
  }

  /// The end record with 64-bit fields, if the archive has one.
  private func largeEnd(before end: Int) throws(PyTorchError) -> LargeEnd? {
    let locator = end - 20
    guard locator >= 0, file.loadUnaligned(fromByteOffset: locator, as: UInt32.self) == 0x0706_4B50 else { return nil }
    var cursor = ByteCursor(file, at: locator + 4)
    guard cursor.count(UInt32.self) == 0, let start = cursor.count(UInt64.self), cursor.count(UInt32.self) == 1 else {
      throw damaged("it is split over several files", locator)
    }
    cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: file[..<locator]), at: min(start, locator))
    guard cursor.integer(UInt32.self) == 0x0606_4B50, let length = cursor.count(UInt64.self),
      length == locator - start - 12,
      cursor.take(4) != nil, cursor.integer(UInt64.self) == 0, let countHere = cursor.count(UInt64.self),
      let count = cursor.count(UInt64.self), count == countHere, let size = cursor.count(UInt64.self),
      let offset = cursor.count(UInt64.self)
    else { throw damaged("its 64-bit end record is not whole", locator) }
    return LargeEnd(start: start, count: count, size: size, offset: offset)
  }
}

// MARK: - Records

extension StoredArchive {
  /// An entry of the central directory.
  private struct Header {
    let flags: UInt16
    let method: UInt16
    let compressedSize: Int
    let size: Int
    let localOffset: Int
    let name: UnsafeRawBufferPointer

    init?(_ cursor: inout ByteCursor) {
      guard cursor.integer(UInt32.self) == 0x0201_4B50, cursor.take(4) != nil, let flags = cursor.integer(UInt16.self),
        let method = cursor.integer(UInt16.self), cursor.take(8) != nil, let compressed = cursor.count(UInt32.self),
        let size = cursor.count(UInt32.self), let nameLength = cursor.count(UInt16.self),
        let extraLength = cursor.count(UInt16.self), let commentLength = cursor.count(UInt16.self),
        let disk = cursor.count(UInt16.self), disk == 0, cursor.take(6) != nil, let local = cursor.count(UInt32.self),
        let name = cursor.take(nameLength), let extra = cursor.take(extraLength), cursor.take(commentLength) != nil
      else { return nil }
      var large = Self.largeFields(extra)
      /// A field of 32 bits, or of 64 in the extra data where the short one says so.
      func value(_ short: Int) -> Int? { short == 0xFFFF_FFFF ? large?.count(UInt64.self) : short }
      // In this order they stand in the extra data.
      guard let size = value(size), let compressed = value(compressed), let local = value(local) else { return nil }
      self.flags = flags
      self.method = method
      self.name = name
      self.size = size
      compressedSize = compressed
      localOffset = local
    }

    /// The extra data with the tag 1: the fields that do not fit 32 bits.
    private static func largeFields(_ extra: UnsafeRawBufferPointer) -> ByteCursor? {
      var cursor = ByteCursor(extra)
      while let tag = cursor.integer(UInt16.self), let length = cursor.count(UInt16.self),
        let body = cursor.take(length)
      {
        if tag == 1 { return ByteCursor(body) }
      }
      return nil
    }
  }

  private func safeName(_ bytes: UnsafeRawBufferPointer, _ offset: Int) throws(PyTorchError) -> String {
    guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
      throw damaged("a record's name is not text", offset)
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard !parts.contains(".."), !name.hasPrefix("/"), !name.contains("\\"), !name.contains("\0") else {
      throw failure(.unsafeRecordName(name), offset)
    }
    return name
  }

  private func dataRange(
    of header: Header, named name: String, before end: Int, _ offset: Int
  ) throws(PyTorchError) -> Range<Int> {
    guard header.flags & 1 == 0 else { throw damaged("the record '\(name)' is encrypted", offset) }
    guard header.method == 0 else { throw failure(.compressedRecord(name, method: Int(header.method)), offset) }
    guard header.compressedSize == header.size else {
      throw damaged("the record '\(name)' states two sizes", offset)
    }
    var cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: file[..<end]), at: min(header.localOffset, end))
    guard cursor.integer(UInt32.self) == 0x0403_4B50, cursor.take(2) != nil, let flags = cursor.integer(UInt16.self),
      cursor.take(10) != nil, let compressed = cursor.count(UInt32.self), let size = cursor.count(UInt32.self),
      let nameLength = cursor.count(UInt16.self), let extraLength = cursor.count(UInt16.self),
      let localName = cursor.take(nameLength), cursor.take(extraLength) != nil
    else { throw damaged("the header of the record '\(name)' is not where the directory says", offset) }
    // With this flag the sizes follow the data, and the header has none.
    let sizesFollow = flags & 8 != 0 && compressed == 0 && size == 0
    let sizesAreLarge = compressed == 0xFFFF_FFFF || size == 0xFFFF_FFFF
    guard localName.elementsEqual(header.name),
      sizesFollow || sizesAreLarge || (size == header.size && compressed == size)
    else { throw damaged("the record '\(name)' disagrees with the directory", header.localOffset) }
    let start = cursor.offset
    guard cursor.take(header.size) != nil else { throw damaged("the record '\(name)' is cut short", offset) }
    return start..<start + header.size
  }
}
