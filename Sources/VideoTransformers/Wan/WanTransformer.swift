import Compute
import Layers
import Tensors

/// Inputs of one denoising prediction; all latents `[B, C, F, H, W]`, channels = noisy latents, mask, image condition.
package struct WanInput: Sendable {
  package let latents: Tensor
  /// `[B, T, text size]`
  package let text: Tensor
  /// `[B, I, image size]`
  package let image: Tensor
  /// One per sample.
  package let timesteps: [Float]
  package let rotary: RotaryTable
  package let reference: Reference?

  /// Clean reference latents, m clips of one length joined along frames: `[B, C, m F, H, W]`, their texts
  /// `[B, m T, text size]` and images `[B, m I, image size]`.
  package struct Reference: Sendable {
    package let latents: Tensor
    package let text: Tensor
    package let image: Tensor
    /// One per clip, the same for all samples.
    package let timesteps: [Float]
    package let rotary: RotaryTable

    package init(latents: Tensor, text: Tensor, image: Tensor, timesteps: [Float], rotary: RotaryTable) {
      self.latents = latents
      self.text = text
      self.image = image
      self.timesteps = timesteps
      self.rotary = rotary
    }
  }

  package init(
    latents: Tensor, text: Tensor, image: Tensor, timesteps: [Float], rotary: RotaryTable, reference: Reference? = nil
  ) {
    self.latents = latents
    self.text = text
    self.image = image
    self.timesteps = timesteps
    self.rotary = rotary
    self.reference = reference
  }
}

/// The Wan 2.1 image-to-video diffusion transformer with a Mixture-of-Transformers expert on the configured blocks
/// ("WanTransformer3DMOTModel"); without a reference, or without expert blocks, the plain image-to-video model.
///
/// The configuration's `coupling` makes it one of the paper's ablations, by the rules that the published code has for
/// CogVideoX.
///
/// References pass through blocks without an expert unchanged. The published code knows one reference; several are told
/// apart by their rotary positions, and each attends to its own caption and image.
package struct WanTransformer: Sendable {
  package let configuration: WanConfiguration
  private let embedding: Embedding
  private let expertEmbedding: Embedding?
  private let blocks: MixtureStack<WanBranch>
  private let head: WanHead
  private let expertHead: WanHead?

  /// Patches and conditions of one branch.
  private struct Embedding: Sendable {
    let patches: WanPatchEmbedding
    let conditions: WanConditionEmbedder
    let suffix: String

    init(_ scope: ParameterScope, suffix: String, _ configuration: WanConfiguration) {
      patches = WanPatchEmbedding(scope("patch_embedding\(suffix)"), configuration)
      conditions = WanConditionEmbedder(scope("condition_embedder\(suffix)"), configuration)
      self.suffix = suffix
    }
  }

  package init(_ scope: ParameterScope, _ configuration: WanConfiguration) {
    self.configuration = configuration
    embedding = Embedding(scope, suffix: "", configuration)
    expertEmbedding = configuration.hasExpert ? Embedding(scope, suffix: expertSuffix, configuration) : nil
    blocks = MixtureStack(scope("blocks"), configuration) { WanBranch($0, suffix: $1, configuration) }
    head = WanHead(scope, suffix: "", configuration)
    expertHead = configuration.predictsReferences ? WanHead(scope, suffix: expertSuffix, configuration) : nil
  }

  /// Whether published files carry a key without use.
  package static func isUnusedKey(_ key: String) -> Bool { key.contains("norm_added_q") }

  /// Whether expert training, as published, changes the parameter.
  package static func isExpertWeight(_ key: String) -> Bool { key.contains(expertSuffix) }

  /// Whether the parameter makes the queries of the last expert, which nobody reads (see `MixtureStack`).
  package func makesUnreadQueries(_ key: String) -> Bool { blocks.makesUnreadQueries(key) }

  /// Predicts noise minus sample of the target, `[B, out channels, F, H, W]`.
  package func callAsFunction(_ input: WanInput, context: RunContext = RunContext()) throws -> Tensor {
    try predict(input, context: context).target
  }

  /// Predicts noise minus sample of the target, and of the references where the model does: `[B, out channels, m F, H, W]`.
  ///
  /// The published model with predicted references takes the target's tokens for theirs, which leaves the references'
  /// untrained; here each head reads its own stream.
  package func predict(
    _ input: WanInput, context: RunContext = RunContext()
  ) throws -> (target: Tensor, references: Tensor?) {
    let target = embed(input, context)
    var reference: Stream?
    var conditioning = StreamConditioning(target: target.conditioning, reference: nil)
    if let expertEmbedding, let clips = input.reference {
      let stream = embed(clips, positions: input.rotary, expertEmbedding, context)
      reference = stream
      conditioning = StreamConditioning(
        target: target.conditioning, reference: stream.conditioning,
        referenceForBase: target.conditioning.onClip(of: stream.tokens.shape[1], rotary: clips.rotary))
    }
    let finished = try blocks(
      MixtureStreams(target: target.tokens, reference: reference?.tokens), conditioning, context: context
    ) { index, streams in
      context.probe("block\(index).target", streams.target)
      if let stream = streams.reference { context.probe("block\(index).reference", stream) }
    }
    // In one sequence with references, the target comes first.
    let own = finished.target.sliced(1, 0..<input.rotary.tokens)
    let prediction = unpatched(head(own, target.times), input.latents.shape)
    guard let expertHead, let stream = finished.reference, let reference, let clips = input.reference else {
      return (prediction, nil)
    }
    return (prediction, unpatched(expertHead(stream, reference.times), clips.latents.shape))
  }

  /// A stream with what it is processed under.
  private struct Stream {
    /// `[B, N, D]`
    let tokens: Tensor
    let conditioning: WanConditioning
    /// The embedded timesteps of its clips, `[B, D]` each.
    let times: [Tensor]
  }

  /// The target, and behind it the references where they share its sequence; all under the target's conditions.
  private func embed(_ input: WanInput, _ context: RunContext) -> Stream {
    let batch = input.latents.shape[0]
    var tokens = patches(of: input.latents, embedding, context)
    var rotary = input.rotary
    if configuration.coupling == .inContext, let clips = input.reference {
      tokens = .concatenated([tokens, embedding.patches(clips.latents)], axis: 1)
      rotary = rotary.followed(by: clips.rotary)
    }
    let conditions = context.scoped("condition_embedder")
    let time = embedding.conditions.embed(timesteps: input.timesteps, conditions)
    let contexts = embedding.conditions.embed(text: input.text, image: input.image, conditions)
    let part = WanConditioning.Part(
      tokens: 0..<tokens.shape[1], modulation: time.modulation.reshaped([batch, 6, configuration.hiddenSize]),
      text: contexts.text, image: contexts.image)
    return Stream(tokens: tokens, conditioning: WanConditioning(parts: [part], rotary: rotary), times: [time.time])
  }

  private func patches(of latents: Tensor, _ embedding: Embedding, _ context: RunContext) -> Tensor {
    let tokens = embedding.patches(latents)
    context.probe("patch_embedding\(embedding.suffix)", embedding.patches.planes(of: tokens, latents.shape))
    return tokens
  }

  /// The references for the expert; each has a timestep, a caption and an image of its own.
  ///
  /// - Parameter positions: the target's.
  private func embed(
    _ clips: WanInput.Reference, positions: RotaryTable, _ embedding: Embedding, _ context: RunContext
  ) -> Stream {
    let (count, batch) = (clips.timesteps.count, clips.latents.shape[0])
    let tokens = patches(of: clips.latents, embedding, context)
    let length = tokens.shape[1] / count
    let conditions = context.scoped("condition_embedder\(embedding.suffix)")
    let time = embedding.conditions.embed(timesteps: clips.timesteps, conditions)
    let contexts = embedding.conditions.embed(text: clips.text, image: clips.image, conditions)
    func share(_ tensor: Tensor, _ index: Int) -> Tensor {
      let length = tensor.shape[1] / count
      return tensor.sliced(1, index * length..<(index + 1) * length).dense()
    }
    let parts = (0..<count).map { index in
      WanConditioning.Part(
        tokens: length * index..<length * (index + 1),
        modulation: time.modulation.sliced(0, index..<index + 1).reshaped([1, 6, configuration.hiddenSize])
          .repeated(batch),
        text: share(contexts.text, index), image: share(contexts.image, index))
    }
    return Stream(
      tokens: tokens,
      conditioning: WanConditioning(
        parts: parts, rotary: configuration.coupling.expertRunsAlone ? positions : clips.rotary),
      times: (0..<count).map { time.time.sliced(0, $0..<$0 + 1).repeated(batch) })
  }

  private func unpatched(_ tokens: Tensor, _ shape: Shape) -> Tensor {
    let (batch, frames, height, width) = (shape[0], shape[2], shape[3], shape[4])
    let (channels, rows, columns) = (configuration.outChannels, configuration.patchSize[1], configuration.patchSize[2])
    return tokens.reshaped([batch, frames, height / rows, width / columns, rows, columns, channels])
      .permuted(0, 6, 1, 2, 4, 3, 5)
      .reshaped([batch, channels, frames, height, width])
  }
}
