/// How stored pixels are turned for display: one of eight ways, applied without interpolation.
struct Orientation: Sendable, Equatable {
  /// Rows become columns.
  var transposes = false
  /// The stored x axis, or y axis, runs backwards on display.
  var reversesX = false
  var reversesY = false

  static let upright = Orientation()

  private init(transposes: Bool = false, reversesX: Bool = false, reversesY: Bool = false) {
    self.transposes = transposes
    self.reversesX = reversesX
    self.reversesY = reversesY
  }

  /// The value 1...8 of the EXIF tag 0x0112.
  init?(exif value: Int) {
    switch value {
    case 1: self.init()
    case 2: self.init(reversesX: true)
    case 3: self.init(reversesX: true, reversesY: true)
    case 4: self.init(reversesY: true)
    case 5: self.init(transposes: true)
    case 6: self.init(transposes: true, reversesY: true)
    case 7: self.init(transposes: true, reversesX: true, reversesY: true)
    case 8: self.init(transposes: true, reversesX: true)
    default: return nil
    }
  }

  /// The nearest quarter turn or mirroring to a display matrix (a b u, c d v, x y w), where shown x = a x + c y and
  /// shown y = b x + d y; other angles are not applied.
  init(displayMatrix matrix: UnsafePointer<Int32>) {
    let (a, b, c, d) = (Int(matrix[0]), Int(matrix[1]), Int(matrix[3]), Int(matrix[4]))
    if abs(b) + abs(c) > abs(a) + abs(d) {
      self.init(transposes: true, reversesX: b < 0, reversesY: c < 0)
    } else {
      self.init(reversesX: a < 0, reversesY: d < 0)
    }
  }

  func shownSize(of stored: FrameSize) -> FrameSize {
    transposes ? FrameSize(width: stored.height, height: stored.width) : stored
  }

  /// Copies RGB rows, `stride` bytes apart, into a gapless frame of `shownSize(of: stored)`.
  func copy(_ source: UnsafePointer<UInt8>, stride: Int, stored: FrameSize, into target: UnsafeMutablePointer<UInt8>) {
    let shown = shownSize(of: stored)
    if self == .upright {
      for y in 0..<shown.height {
        (target + y * shown.width * 3).update(from: source + y * stride, count: shown.width * 3)
      }
      return
    }
    for y in 0..<shown.height {
      for x in 0..<shown.width {
        var (sourceX, sourceY) = transposes ? (y, x) : (x, y)
        if reversesX { sourceX = stored.width - 1 - sourceX }
        if reversesY { sourceY = stored.height - 1 - sourceY }
        (target + (y * shown.width + x) * 3).update(from: source + sourceY * stride + sourceX * 3, count: 3)
      }
    }
  }
}
