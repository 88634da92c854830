/// At most 256 colours that stand for all colours of a clip, as GIF needs.
///
/// A clip of few colours keeps them exactly. Others are reduced by median cut: the box of colours with the greatest
/// spread is halved at the median of its longest direction until there are 256, and each box becomes its mean. An
/// ordered pattern hides the steps; unlike error diffusion it stands still from frame to frame.
final class ColorPalette {
  /// 256 entries 0xAARRGGBB, opaque; unused ones are black.
  let entries: [UInt32]
  private let isExact: Bool
  private let exactIndices: [UInt32: UInt8]
  private let colors: [SIMD4<Int32>]
  /// Nearest entry by the upper six bits of red, green and blue; found when first needed.
  private var nearest: [Int16]

  init(of clip: VideoClip) {
    if let exact = Self.distinctColors(of: clip) {
      isExact = true
      colors = exact.map(Self.unpacked)
      exactIndices = Dictionary(uniqueKeysWithValues: exact.enumerated().map { ($1, UInt8($0)) })
    } else {
      isExact = false
      colors = Self.medianCut(of: clip)
      exactIndices = [:]
    }
    var entries = colors.map { 0xFF00_0000 | UInt32($0[0]) << 16 | UInt32($0[1]) << 8 | UInt32($0[2]) }
    entries += [UInt32](repeating: 0xFF00_0000, count: 256 - entries.count)
    self.entries = entries
    nearest = [Int16](repeating: -1, count: isExact ? 0 : 1 << 18)
  }

  /// Writes the palette index of each pixel of row `y` of the frame `pixels`.
  func writeIndices(
    ofRow y: Int, _ pixels: UnsafeBufferPointer<UInt8>, width: Int, to output: UnsafeMutablePointer<UInt8>
  ) {
    let row = UnsafeBufferPointer(rebasing: pixels[y * width * 3..<(y + 1) * width * 3])
    if isExact {
      for x in 0..<width { output[x] = exactIndices[Self.packed(row, x)] ?? 0 }
      return
    }
    for x in 0..<width {
      let shift = Self.pattern[(y & 7) << 3 | x & 7]
      let color = (0..<3).map { min(max(Int(row[x * 3 + $0]) + shift, 0), 255) }
      output[x] = nearestIndex(to: color)
    }
  }

  private func nearestIndex(to color: [Int]) -> UInt8 {
    let key = (color[0] >> 2) << 12 | (color[1] >> 2) << 6 | color[2] >> 2
    if nearest[key] >= 0 { return UInt8(nearest[key]) }
    let wanted = SIMD4(color.map { Int32($0 & ~3 | 2) } + [0])
    var best = (distance: Int32.max, index: 0)
    for (index, entry) in colors.enumerated() {
      let difference = entry &- wanted
      let distance = (difference &* difference).wrappedSum()
      if distance < best.distance { best = (distance, index) }
    }
    nearest[key] = Int16(best.index)
    return UInt8(best.index)
  }

  /// Bayer's 8x8 matrix as offsets from -4 to 3.
  private static let pattern: [Int] = (0..<64).map { cell in
    let (x, y) = (cell & 7, cell >> 3)
    var rank = 0
    for bit in 0..<3 { rank |= ((x ^ y) >> bit & 1) << (5 - 2 * bit) | (y >> bit & 1) << (4 - 2 * bit) }
    return rank / 8 - 4
  }

  private static func packed(_ row: UnsafeBufferPointer<UInt8>, _ x: Int) -> UInt32 {
    UInt32(row[x * 3]) << 16 | UInt32(row[x * 3 + 1]) << 8 | UInt32(row[x * 3 + 2])
  }

  private static func unpacked(_ color: UInt32) -> SIMD4<Int32> {
    SIMD4(Int32(color >> 16), Int32(color >> 8 & 255), Int32(color & 255), 0)
  }

  /// All colours in order, or nil if there are more than 256.
  private static func distinctColors(of clip: VideoClip) -> [UInt32]? {
    clip.pixels.withUnsafeBufferPointer { pixels in
      var colors: Set<UInt32> = []
      var last: UInt32?
      for x in 0..<pixels.count / 3 {
        let color = packed(pixels, x)
        guard color != last else { continue }
        last = color
        if colors.insert(color).inserted, colors.count > 256 { return nil }
      }
      return colors.sorted()
    }
  }

  // MARK: - Median cut

  /// Pixels whose upper five bits agree: how many, and the sum of each channel.
  private struct Bin {
    var count = 0
    var sums = SIMD3<Int>()
    var mean: SIMD3<Double> { SIMD3<Double>(sums) / Double(count) }
  }

  private struct Box {
    var bins: [Bin]
    /// Sum of squared distances to the mean, by direction.
    let spread: SIMD3<Double>
    let mean: SIMD3<Double>

    init(_ bins: [Bin]) {
      self.bins = bins
      let count = Double(bins.reduce(0) { $0 + $1.count })
      let mean = bins.reduce(SIMD3<Double>()) { $0 + SIMD3<Double>($1.sums) } / count
      self.mean = mean
      spread = bins.reduce(SIMD3<Double>()) { $0 + ($1.mean - mean) * ($1.mean - mean) * Double($1.count) }
    }

    var totalSpread: Double { bins.count > 1 ? spread.sum() : -1 }

    func halves() -> (Box, Box) {
      let axis = (0..<3).max { spread[$0] < spread[$1] } ?? 0
      let sorted = bins.sorted { $0.mean[axis] < $1.mean[axis] }
      let half = sorted.reduce(0) { $0 + $1.count } / 2
      var (cut, passed) = (0, 0)
      repeat {
        passed += sorted[cut].count
        cut += 1
      } while cut < sorted.count - 1 && passed < half
      return (Box(Array(sorted[..<cut])), Box(Array(sorted[cut...])))
    }
  }

  private static func medianCut(of clip: VideoClip) -> [SIMD4<Int32>] {
    var bins = [Bin](repeating: Bin(), count: 1 << 15)
    clip.pixels.withUnsafeBufferPointer { pixels in
      for x in 0..<pixels.count / 3 {
        let color = SIMD3(Int(pixels[x * 3]), Int(pixels[x * 3 + 1]), Int(pixels[x * 3 + 2]))
        let key = (color[0] >> 3) << 10 | (color[1] >> 3) << 5 | color[2] >> 3
        bins[key].count += 1
        bins[key].sums &+= color
      }
    }
    var boxes = [Box(bins.filter { $0.count > 0 })]
    while boxes.count < 256, let index = boxes.indices.max(by: { boxes[$0].totalSpread < boxes[$1].totalSpread }),
      boxes[index].totalSpread > 0
    {
      let (first, second) = boxes[index].halves()
      boxes[index] = first
      boxes.append(second)
    }
    return boxes.map { box in
      let mean = box.mean.rounded(.toNearestOrEven)
      return SIMD4(Int32(mean[0]), Int32(mean[1]), Int32(mean[2]), 0)
    }
  }
}
