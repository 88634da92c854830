import Layers
import Tensors

/// What marks an expert's component of a published key.
package let expertSuffix = "_mot_ref"

/// The blocks of a diffusion transformer, some of them with an expert.
package struct MixtureStack<Branch: MixtureBranch>: Sendable {
  private let path: String
  private let blocks: [Segment<MixtureBlock<Branch>>]
  private let lastExpert: Int?

  /// - Parameters:
  ///   - scope: the blocks lie in it under their indices.
  ///   - makeBranch: builds a branch in a block's scope from the keys that end with a suffix.
  package init(
    _ scope: ParameterScope, count: Int, expertLayers: [Int], _ makeBranch: (ParameterScope, String) -> Branch
  ) {
    let experts = Set(expertLayers)
    path = scope.path
    blocks = (0..<count).map { index in
      Segment(scope(index)) { scope in
        MixtureBlock(
          base: makeBranch(scope, ""), expert: experts.contains(index) ? makeBranch(scope, expertSuffix) : nil)
      }
    }
    lastExpert = experts.max()
  }

  /// Whether the parameter makes the queries of the last expert, which nobody reads.
  ///
  /// This model leaves their work out and so finds no gradient. Published training finds zeros, which an optimizer with
  /// weight decay tells from none.
  package func makesUnreadQueries(_ key: String) -> Bool {
    guard let lastExpert else { return false }
    let attention = "\(path).\(lastExpert).attn1\(expertSuffix)."
    return key.hasPrefix("\(attention)to_q.") || key.hasPrefix("\(attention)norm_q.")
  }

  /// Takes both streams through all blocks; after the last expert nobody reads the reference any more.
  ///
  /// - Parameter onBlock: called with each block's index and result.
  package func callAsFunction(
    _ streams: MixtureStreams, target: Branch.Conditioning, reference: Branch.Conditioning?, context: RunContext,
    onBlock: @escaping @Sendable (Int, MixtureStreams) -> Void
  ) throws -> MixtureStreams {
    try context.runRecomputably(blocks, on: streams) { index, block, streams in
      let result = block(
        streams, target: target, reference: reference, isLastExpert: index == lastExpert && !context.isObserved,
        context: context.scoped("block\(index)"))
      onBlock(index, result)
      return result
    }
  }
}
