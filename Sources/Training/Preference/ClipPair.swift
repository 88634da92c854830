import Backbones
import Compute
import Runtime
import Tensors

/// A better and a worse clip that share their references, for preference training.
///
/// A trainer knows samples of one target. So a pair travels as one clip: the better clip's tensors, the worse one's with
/// "worse." before their names, and the pair's weight.
package struct ClipPair: Sendable {
  package let better: EncodedClip
  package let worse: EncodedClip
  /// How much the pair counts.
  package let weight: Double

  private static let prefix = "worse."
  private static let weightName = "pair.weight"

  package init(better: EncodedClip, worse: EncodedClip, weight: Double) {
    self.better = better
    self.worse = worse
    self.weight = weight
  }

  package var packed: EncodedClip {
    var tensors = better.tensors
    for (name, tensor) in worse.tensors { tensors[Self.prefix + name] = tensor }
    tensors[Self.weightName] = Tensor([Float(weight)])
    return EncodedClip(tensors: tensors)
  }

  /// Throws `TrainingSampleFailure` for a clip that is no pair.
  package init(unpacking clip: EncodedClip) throws(TrainingSampleFailure) {
    guard let weight = clip.tensors[Self.weightName]?.doubles().first else { throw .missingTensor(Self.weightName) }
    self.weight = weight
    var (better, worse) = (clip.tensors, [String: Tensor]())
    better[Self.weightName] = nil
    for (name, tensor) in clip.tensors where name.hasPrefix(Self.prefix) {
      better[name] = nil
      worse[String(name.dropFirst(Self.prefix.count))] = tensor
    }
    self.better = EncodedClip(tensors: better)
    self.worse = EncodedClip(tensors: worse)
  }
}
