import Layers
import Tensors

/// What marks an expert's component of a published key.
package let expertSuffix = "_mot_ref"

/// The blocks of a diffusion transformer, some of them with an expert.
package struct MixtureStack<Branch: MixtureBranch>: Sendable {
  private let path: String
  private let blocks: [Segment<any StreamBlock<Branch>>]
  private let lastExpert: Int?
  private let makesUnread: Bool

  /// - Parameters:
  ///   - scope: the blocks lie in it under their indices.
  ///   - makeBranch: builds a branch in a block's scope from the keys that end with a suffix.
  package init(
    _ scope: ParameterScope, _ configuration: some MixtureConfiguration,
    _ makeBranch: (ParameterScope, String) -> Branch
  ) {
    let (experts, coupling) = (Set(configuration.expertLayers), configuration.coupling)
    path = scope.path
    blocks = (0..<configuration.layerCount).map { index in
      Segment(scope(index)) { scope -> any StreamBlock<Branch> in
        let base = makeBranch(scope, "")
        guard experts.contains(index) else { return MixtureBlock(base: base, expert: nil) }
        let expert = makeBranch(scope, expertSuffix)
        switch coupling {
        case .mixture, .inContext: return MixtureBlock(base: base, expert: expert)
        case .crossAttention: return CrossAttentionBlock(base: base, expert: expert)
        case .addition: return AdditionBlock(base: base, expert: expert)
        }
      }
    }
    // Where references are predicted, their stream has a reader after the last block.
    lastExpert = configuration.predictsReferences ? nil : experts.max()
    makesUnread = coupling == .mixture
  }

  /// Whether the parameter makes the queries of the last expert, which nobody reads.
  ///
  /// This model leaves their work out and so finds no gradient. Published training finds zeros, which an optimizer with
  /// weight decay tells from none.
  package func makesUnreadQueries(_ key: String) -> Bool {
    guard let lastExpert, makesUnread else { return false }
    let attention = "\(path).\(lastExpert).attn1\(expertSuffix)."
    return key.hasPrefix("\(attention)to_q.") || key.hasPrefix("\(attention)norm_q.")
  }

  /// Takes both streams through all blocks; after the last expert nobody reads the reference any more.
  ///
  /// - Parameter onBlock: called with each block's index and result.
  package func callAsFunction(
    _ streams: MixtureStreams, _ conditioning: StreamConditioning<Branch.Conditioning>, context: RunContext,
    onBlock: @escaping @Sendable (Int, MixtureStreams) -> Void
  ) throws -> MixtureStreams {
    try context.runRecomputably(blocks, on: streams) { index, block, streams in
      let result = block.run(
        streams, conditioning, isLastExpert: index == lastExpert && !context.isObserved,
        context: context.scoped("block\(index)"))
      onBlock(index, result)
      return result
    }
  }
}
