import Layers
import Tensors

/// How the target learns of the references.
///
/// All but the first are the paper's ablations (arXiv 2510.20888, Table 2). The published code has them for CogVideoX; the
/// same rules hold for Wan here.
package enum Coupling: String, Sendable, CaseIterable, Codable {
  /// A Mixture-of-Transformers expert: attention in both directions. The published design.
  case mixture
  /// No expert: the references' frames follow the target's in one sequence.
  case inContext = "in-context"
  /// The expert encodes a reference by itself; the target attends to what it gives, and nothing flows back.
  case crossAttention = "cross-attention"
  /// The expert encodes a reference by itself; its tokens are added to the target's.
  case addition

  /// Whether the model has expert blocks.
  package var hasExpert: Bool { self != .inContext }
  /// Whether the expert runs on a reference by itself, then on the target's positions, as published: only the base tells
  /// them apart.
  var expertRunsAlone: Bool { self == .crossAttention || self == .addition }
  /// How many references the coupling is defined for; nil for any number.
  package var referenceLimit: Int? { expertRunsAlone ? 1 : nil }
}

/// What the streams of a block are processed under.
package struct StreamConditioning<Conditioning: Sendable>: Sendable {
  let target: Conditioning
  /// What the expert processes the reference under.
  let reference: Conditioning?
  /// What the base reads the reference under, where it does so itself.
  let referenceForBase: Conditioning?

  package init(target: Conditioning, reference: Conditioning?, referenceForBase: Conditioning? = nil) {
    self.target = target
    self.reference = reference
    self.referenceForBase = referenceForBase
  }
}

/// A transformer block over the two streams.
protocol StreamBlock<Branch>: Sendable {
  associatedtype Branch: MixtureBranch

  /// - Parameter isLastExpert: whether no later block reads the reference stream.
  func run(
    _ streams: MixtureStreams, _ conditioning: StreamConditioning<Branch.Conditioning>, isLastExpert: Bool,
    context: RunContext
  ) -> MixtureStreams
}

extension MixtureBlock: StreamBlock {
  func run(
    _ streams: MixtureStreams, _ conditioning: StreamConditioning<Branch.Conditioning>, isLastExpert: Bool,
    context: RunContext
  ) -> MixtureStreams {
    self(
      streams, target: conditioning.target, reference: conditioning.reference, isLastExpert: isLastExpert,
      context: context)
  }
}

extension MixtureBranch {
  /// The whole block on one stream by itself.
  func alone(_ stream: Tensor, _ conditioning: Conditioning, _ context: RunContext) -> Tensor {
    let own = project(stream, conditioning, context)
    return finish(own.queries.attending(to: [own.keyValues]), own.residual, conditioning, context)
  }
}

/// The expert's block runs on the reference alone; then the target attends to itself and to the expert's result, which
/// the base normalises and projects like its own tokens ("ablation_single_encoder").
struct CrossAttentionBlock<Branch: MixtureBranch>: StreamBlock {
  let base: Branch
  let expert: Branch

  func run(
    _ streams: MixtureStreams, _ conditioning: StreamConditioning<Branch.Conditioning>, isLastExpert: Bool,
    context: RunContext
  ) -> MixtureStreams {
    guard let stream = streams.reference, let forExpert = conditioning.reference,
      let forBase = conditioning.referenceForBase
    else {
      return MixtureStreams(target: base.alone(streams.target, conditioning.target, context), reference: nil)
    }
    let reference = expert.alone(stream, forExpert, context)
    let own = base.project(streams.target, conditioning.target, context)
    let parts = [own.keyValues, base.projectKeyValues(reference, forBase, context)]
    let target = base.finish(own.queries.attending(to: parts), own.residual, conditioning.target, context)
    return MixtureStreams(target: target, reference: isLastExpert ? nil : reference)
  }
}

/// Both blocks run alone, then the reference's tokens are added to the target's ("ablation_residual_addition").
struct AdditionBlock<Branch: MixtureBranch>: StreamBlock {
  let base: Branch
  let expert: Branch

  func run(
    _ streams: MixtureStreams, _ conditioning: StreamConditioning<Branch.Conditioning>, isLastExpert: Bool,
    context: RunContext
  ) -> MixtureStreams {
    let target = base.alone(streams.target, conditioning.target, context)
    guard let stream = streams.reference, let forExpert = conditioning.reference else {
      return MixtureStreams(target: target, reference: nil)
    }
    let reference = expert.alone(stream, forExpert, context)
    return MixtureStreams(target: target + reference, reference: isLastExpert ? nil : reference)
  }
}
