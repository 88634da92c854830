import Datasets
import Media
import Runtime

/// What a sample's target and reference were rendered from, where they come from the miniature world: so it is known what
/// any of its conditions does to the target's scene.
package struct SampleTruth: Sendable, Equatable {
  /// What the target video was rendered from.
  package let target: MiniatureClip
  /// What the reference video was rendered from; condition, speed and onset are what a clip is to take from it.
  package let reference: MiniatureClip

  package init(target: MiniatureClip, reference: MiniatureClip) {
    self.target = target
    self.reference = reference
  }

  /// What a clip can be taken for: all conditions that are trained, and the others too where one of them is shown.
  package var conditions: [MiniatureCondition] {
    target.condition.isTrained && reference.condition.isTrained
      ? MiniatureCondition.trained : MiniatureCondition.allCases
  }

  /// The target's scene under a condition, with the reference's onset.
  ///
  /// With the reference's condition and speed it is the right answer. For the benchmark's own references that is the target;
  /// for a table with other references it is the clip that follows them.
  func clip(_ condition: MiniatureCondition, speed: Float) -> MiniatureClip {
    MiniatureClip(
      seed: target.seed, subject: target.subject, condition: condition,
      timing: MiniatureTiming(speed: speed, onset: reference.timing.onset))
  }

  /// Differs for another truth and for another edition of the renderer.
  var digest: String {
    let picture = target.render(MiniatureClip.Format()).pixels
    var hasher = ContentHasher()
    hasher.update("\(self)")
    picture.withUnsafeBytes { hasher.update($0) }
    return hasher.finish().description
  }
}
