import Compute
import Foundation

/// A subject somewhere before a background, as colours at points; the picture is -1...1 to the right and downwards.
///
/// The background goes on outside of the picture, where camera moves look.
package struct MiniatureScene: Sendable {
  package typealias Color = SIMD3<Float>

  /// Where the subject stands, beside its place in the scene.
  struct Pose: Sendable {
    var shift = SIMD2<Float>(0, 0)
    var scale = SIMD2<Float>(1, 1)
    /// Radians, clockwise.
    var turn: Float = 0
  }

  /// The subject at a point.
  struct Sample: Sendable {
    var color: Color
    /// 0 outside, 1 inside.
    var cover: Float
    /// How much of the background's light its shadow takes.
    var shade: Float
    /// The point in units of the subject's radius from its centre, not turned.
    var local: SIMD2<Float>
  }

  private let subject: MiniatureSubject
  private let first: Color
  private let second: Color
  private let tilt: Float
  private let center: SIMD2<Float>
  private let radius: Float
  private let sky: Color
  private let slope: Color
  private let ground: Color
  private let horizon: Float
  private let waves: SIMD2<Float>
  private let discs: [Disc]
  /// Steepness of edges, by the size of a pixel.
  private let sharpness: Float

  private struct Disc: Sendable {
    let center: SIMD2<Float>
    let radius: Float
    let tint: Color
  }

  /// - Parameters:
  ///   - seed: decides place, size, tones and background.
  ///   - size: pixels along a side.
  package init(seed: UInt64, subject: MiniatureSubject, size: Int) {
    var generator = RandomGenerator(seed: seed)
    func draw(_ range: ClosedRange<Float>) -> Float {
      range.lowerBound + (range.upperBound - range.lowerBound) * Float(generator.drawUniform())
    }
    func color(_ range: ClosedRange<Float>) -> Color { [draw(range), draw(range), draw(range)] }
    self.subject = subject
    first = (subject.color.components + color(-0.05...0.05)).clamped(lowerBound: .zero, upperBound: .one)
    // The second tone is much lighter or much darker.
    second = draw(0...1) < 0.5 ? first + (1 - first) * 0.75 : first * 0.3
    tilt = draw(-0.45...0.45)
    center = [draw(-0.2...0.2), draw(-0.14...0.2)]
    radius = draw(0.44...0.56)
    sky = color(0.38...0.8)
    slope = color(-0.16...0.16)
    ground = color(-0.2...0.06)
    horizon = draw(0.25...0.7)
    waves = [draw(1.2...2.6), draw(0...6.3)]
    discs = (0..<4).map { _ in
      let sign: Float = draw(0...1) < 0.5 ? -1 : 1
      return Disc(
        center: [draw(-1.6...1.6), draw(-1.6...1.6)], radius: draw(0.3...0.65),
        tint: color(0.02...0.24) * sign)
    }
    sharpness = Float(size)
  }

  /// The background at a point.
  func background(at point: SIMD2<Float>) -> Color {
    var color = sky + slope * point.y
    for disc in discs {
      let offset = point - disc.center
      color += disc.tint * logistic((disc.radius - length(offset)) * 9)
    }
    let hills = horizon + 0.13 * sin(waves.x * point.x + waves.y) + 0.05 * sin(3.1 * point.x - waves.y)
    color += ground * logistic((point.y - hills) * 14)
    // Half way to grey, so that the subject stands out.
    color += (Color(repeating: color.sum() / 3) - color) * 0.4
    return color.clamped(lowerBound: .zero, upperBound: .one)
  }

  /// The subject at a point.
  func subject(at point: SIMD2<Float>, _ pose: Pose = Pose()) -> Sample {
    let size = radius * pose.scale
    let local = (point - center - pose.shift) / size
    let angle = tilt + pose.turn
    let (cosine, sine) = (cos(angle), sin(angle))
    let own = SIMD2<Float>(cosine * local.x + sine * local.y, cosine * local.y - sine * local.x)
    let distance = length(own)
    let direction = atan2(own.y, own.x) + .pi / 2
    let outline = 1 + subject.shape.depth * cos(subject.shape.lobes * direction)
    let steepness = sharpness * min(size.x, size.y)
    let cover = logistic((outline - distance) * steepness)
    // A soft shadow on the ground below.
    let below = SIMD2<Float>(local.x * 0.9, (local.y - 1.12) * 3.6)
    let shade = 0.3 * logistic((0.85 - length(below)) * 6)
    guard cover > 0.001 else { return Sample(color: first, cover: 0, shade: shade, local: local) }
    var color = first + (second - first) * pattern(at: own, distance)
    // Light from the upper left, and a darker rim.
    color *= 1.05 - 0.13 * (local.x + 1.6 * local.y) * 0.6
    color *= 1 - 0.22 * logistic((distance - outline + 0.16) * 16)
    color = face(over: color, at: own, steepness: steepness)
    return Sample(
      color: color.clamped(lowerBound: .zero, upperBound: .one), cover: cover, shade: shade * (1 - cover), local: local)
  }

  /// The picture at a point.
  func color(at point: SIMD2<Float>, _ pose: Pose = Pose()) -> Color {
    Self.compose(background(at: point), subject(at: point, pose))
  }

  static func compose(_ background: Color, _ sample: Sample) -> Color {
    let shaded = background * (1 - sample.shade)
    return shaded + (sample.color - shaded) * sample.cover
  }

  /// 0 for the first tone, 1 for the second.
  private func pattern(at own: SIMD2<Float>, _ distance: Float) -> Float {
    let side: Float =
      switch subject.pattern {
      case .halves: 9 * own.x
      case .stripes: 5 * sin(5.2 * own.y)
      case .spot: 10 * (0.55 - distance)
      case .quarters: 18 * own.x * own.y
      }
    return logistic(2 * side)
  }

  /// Two eyes, which also show how the subject is turned.
  private func face(over color: Color, at own: SIMD2<Float>, steepness: Float) -> Color {
    var color = color
    for side in [-1, 1] as [Float] {
      let offset = own - SIMD2<Float>(0.27 * side, -0.22)
      let white = logistic((0.2 - length(offset)) * steepness)
      let pupil = logistic((0.11 - length(offset - SIMD2<Float>(0.02, 0.03))) * steepness)
      color += (Color(0.97, 0.97, 0.95) - color) * white
      color += (Color(0.08, 0.07, 0.1) - color) * pupil
    }
    return color
  }
}

extension SIMD3<Float> {
  static var one: SIMD3<Float> { SIMD3(repeating: 1) }
}

/// 1 / (1 + exp(-x))
func logistic(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

func length(_ vector: SIMD2<Float>) -> Float { (vector * vector).sum().squareRoot() }
