import Layers
import Tensors

/// One stream's share of a mixture block: what truly differs between backbones, and between base and expert only in
/// their weights.
package protocol MixtureBranch: Sendable {
  /// What a stream is processed under: modulation, rotary table, cross-attention context.
  associatedtype Conditioning: Sendable
  /// What `finish` needs of `project`'s work.
  associatedtype Residual

  /// Normalises `[B, N, D]` and projects it to queries, keys and values `[B, A, N, K]`, rotated.
  func project(_ stream: Tensor, _ conditioning: Conditioning, _ context: RunContext) -> Projection<Residual>
  /// Keys and values alone, for a stream whose own queries nobody reads.
  func projectKeyValues(_ stream: Tensor, _ conditioning: Conditioning, _ context: RunContext) -> KeyValues
  /// Takes the attended values `[B, N, D]` through the rest of the block.
  func finish(_ attended: Tensor, _ residual: Residual, _ conditioning: Conditioning, _ context: RunContext) -> Tensor
}

/// Queries, keys and values of one stream, and what its branch keeps for the rest of the block.
package struct Projection<Residual> {
  package let queries: Tensor
  package let keyValues: KeyValues
  package let residual: Residual
}

/// The two token streams of Video-As-Prompt, `[B, N, D]` each; without a reference the base model runs alone.
package struct MixtureStreams: TensorGroup {
  package var target: Tensor
  package var reference: Tensor?

  package init(target: Tensor, reference: Tensor?) {
    self.target = target
    self.reference = reference
  }

  package var tensors: [Tensor] { [target] + (reference.map { [$0] } ?? []) }
  package func replacing(_ tensors: [Tensor]) -> MixtureStreams {
    MixtureStreams(target: tensors[0], reference: tensors.count > 1 ? tensors[1] : nil)
  }
}

/// A transformer block with an optional Mixture-of-Transformers expert (arXiv 2510.20888, section 3.3).
///
/// Base and expert each project their own stream; all queries attend to the keys and values of both streams in one full
/// attention; each branch finishes its own tokens. This is the only place that knows about sharing.
package struct MixtureBlock<Branch: MixtureBranch>: Sendable {
  private let base: Branch
  private let expert: Branch?

  package init(base: Branch, expert: Branch?) {
    self.base = base
    self.expert = expert
  }

  package var hasExpert: Bool { expert != nil }

  /// - Parameters:
  ///   - isLastExpert: whether no later block reads the reference stream; its queries and the expert's work after the
  ///     attention are then left out, because they cannot change the output.
  /// - Returns: the streams after the block; without an expert the reference passes through unchanged.
  package func callAsFunction(
    _ streams: MixtureStreams, target: Branch.Conditioning, reference: Branch.Conditioning?, isLastExpert: Bool,
    context: RunContext
  ) -> MixtureStreams {
    let (own, other) = attend(
      streams, target: target, reference: reference, isLastExpert: isLastExpert, context: context)
    let result = base.finish(own.tokens, own.residual, target, context)
    guard let expert else { return MixtureStreams(target: result, reference: streams.reference) }
    guard let other, let reference else { return MixtureStreams(target: result, reference: nil) }
    return MixtureStreams(
      target: result, reference: expert.finish(other.tokens, other.residual, reference, context))
  }

  /// What a stream's queries found, `[B, N, D]`, and what its branch kept for the rest of the block.
  private struct Attended {
    let tokens: Tensor
    let residual: Branch.Residual
  }

  /// The shared attention. Queries, keys and values of both streams end with it: kept beside what follows, they would
  /// make half of a block's memory.
  ///
  /// - Returns: nothing for a reference that nobody reads or that has no expert here.
  private func attend(
    _ streams: MixtureStreams, target: Branch.Conditioning, reference: Branch.Conditioning?, isLastExpert: Bool,
    context: RunContext
  ) -> (target: Attended, reference: Attended?) {
    let own = base.project(streams.target, target, context)
    func attended(_ projection: Projection<Branch.Residual>, _ parts: [KeyValues]) -> Attended {
      Attended(tokens: projection.queries.attending(to: parts), residual: projection.residual)
    }
    guard let expert, let stream = streams.reference, let reference else {
      return (attended(own, [own.keyValues]), nil)
    }
    if isLastExpert {
      return (attended(own, [own.keyValues, expert.projectKeyValues(stream, reference, context)]), nil)
    }
    let other = expert.project(stream, reference, context)
    let parts = [own.keyValues, other.keyValues]
    return (attended(own, parts), attended(other, parts))
  }
}
