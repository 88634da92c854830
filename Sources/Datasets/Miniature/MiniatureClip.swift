import Compute
import Foundation
import Media

/// A clip of the miniature world; it depends on these values and nothing else.
package struct MiniatureClip: Sendable, Hashable {
  /// Decides place, size, tones and background.
  package let seed: UInt64
  package let subject: MiniatureSubject
  package let condition: MiniatureCondition
  package let timing: MiniatureTiming

  package init(seed: UInt64, subject: MiniatureSubject, condition: MiniatureCondition, timing: MiniatureTiming) {
    self.seed = seed
    self.subject = subject
    self.condition = condition
    self.timing = timing
  }

  /// Size and rate of clips.
  package struct Format: Sendable, Equatable {
    /// Pixels along a side, a multiple of 8.
    package var size = 48
    /// 8k + 1.
    package var frames = 17
    package var frameRate = 8

    package init() {}
  }

  /// The caption: the subject, and what happens to it and how fast unless `isNeutral`.
  package func caption(isNeutral: Bool) -> String {
    let subject = "\(subject.name.prefix(1).uppercased())\(subject.name.dropFirst())."
    return isNeutral ? subject : "\(subject) \(condition.sentence) \(timing.word)."
  }

  package func render(_ format: Format = Format()) -> VideoClip {
    let scene = MiniatureScene(seed: seed, subject: subject, size: format.size)
    let still = MiniatureStill(scene, size: format.size)
    let last = Float(max(1, format.frames - 1))
    var pixels: [UInt8] = []
    pixels.reserveCapacity(format.frames * format.size * format.size * 3)
    for frame in 0..<format.frames {
      for color in picture(scene, still, progress: timing.progress(at: Float(frame) / last)) {
        let value = (color * 255).rounded(.toNearestOrEven).clamped(
          lowerBound: .zero, upperBound: SIMD3(repeating: 255))
        pixels.append(UInt8(value.x))
        pixels.append(UInt8(value.y))
        pixels.append(UInt8(value.z))
      }
    }
    return VideoClip(
      size: FrameSize(width: format.size, height: format.size),
      frameRate: FrameRate(format.frameRate) ?? .training, pixels: pixels)
  }

  private func picture(_ scene: MiniatureScene, _ still: MiniatureStill, progress: Float) -> [MiniatureScene.Color] {
    switch condition.category {
    case .camera:
      let camera = MiniatureCamera(condition, progress)
      return still.points.map { scene.color(at: camera.seen(from: $0)) }
    case .motion:
      let pose = MiniatureScene.Pose(condition, progress)
      return still.points.indices.map {
        MiniatureScene.compose(still.background[$0], scene.subject(at: still.points[$0], pose))
      }
    case .style: return MiniatureStyle.picture(condition, still, progress)
    case .concept: return MiniatureConcept.picture(condition, still, progress)
    }
  }
}

/// The picture before anything happens, with its parts.
struct MiniatureStill: Sendable {
  let size: Int
  let points: [SIMD2<Float>]
  let background: [MiniatureScene.Color]
  let subject: [MiniatureScene.Sample]
  let picture: [MiniatureScene.Color]

  init(_ scene: MiniatureScene, size: Int) {
    func coordinate(_ index: Int) -> Float { (Float(index) + 0.5) / Float(size) * 2 - 1 }
    self.size = size
    points = (0..<size * size).map { SIMD2(coordinate($0 % size), coordinate($0 / size)) }
    background = points.map(scene.background)
    subject = points.map { scene.subject(at: $0) }
    picture = zip(background, subject).map(MiniatureScene.compose)
  }
}

/// A camera that moves before the scene.
struct MiniatureCamera {
  private var zoom: Float = 1
  private var shift = SIMD2<Float>(0, 0)
  private var turn: Float = 0

  init(_ condition: MiniatureCondition, _ progress: Float) {
    switch condition {
    case .zoomIn: zoom = exp(-0.8 * progress)
    case .zoomOut: zoom = exp(0.8 * progress)
    case .panLeft: shift.x = -0.9 * progress
    case .panRight: shift.x = 0.9 * progress
    case .tiltUp: shift.y = -0.9 * progress
    case .tiltDown: shift.y = 0.9 * progress
    case .roll: turn = progress
    default: break
    }
  }

  /// The point of the scene that is seen at a point of the picture.
  func seen(from point: SIMD2<Float>) -> SIMD2<Float> {
    let (cosine, sine) = (cos(turn), sin(turn))
    return SIMD2(cosine * point.x + sine * point.y, cosine * point.y - sine * point.x) * zoom + shift
  }
}

extension MiniatureScene.Pose {
  init(_ condition: MiniatureCondition, _ progress: Float) {
    self.init()
    switch condition {
    case .rise: shift.y = -0.65 * progress
    case .slide: shift.x = 0.65 * progress
    case .slideLeft: shift.x = -0.65 * progress
    case .grow: scale = SIMD2(repeating: exp(0.5 * progress))
    case .shrink: scale = SIMD2(repeating: exp(-0.85 * progress))
    case .tipOver: turn = 1.5 * progress
    case .flatten: scale = [exp(0.45 * progress), exp(-1.1 * progress)]
    default: break
    }
  }
}
