import Compute
import Layers
import Tensors

/// Inputs of one denoising prediction; all latents `[B, F, C, H, W]`, channels = noisy latents then image condition.
package struct CogVideoXInput: Sendable {
  package let latents: Tensor
  /// `[B, T, text size]`
  package let text: Tensor
  /// One per sample, 0...999.
  package let timesteps: [Float]
  package let rotary: RotaryTable?
  package let reference: Reference?

  /// Reference latents, m clips of the target's length joined along frames: `[B, m F, C, H, W]`, and their texts
  /// `[B, m T, text size]`.
  package struct Reference: Sendable {
    package let latents: Tensor
    package let text: Tensor
    package let rotary: RotaryTable?
    /// One per clip, the same for all samples, where references are noised; else the expert is told the target's.
    package let timesteps: [Float]?

    package init(latents: Tensor, text: Tensor, rotary: RotaryTable?, timesteps: [Float]? = nil) {
      self.latents = latents
      self.text = text
      self.rotary = rotary
      self.timesteps = timesteps
    }
  }

  package init(latents: Tensor, text: Tensor, timesteps: [Float], rotary: RotaryTable?, reference: Reference? = nil) {
    self.latents = latents
    self.text = text
    self.timesteps = timesteps
    self.rotary = rotary
    self.reference = reference
  }
}

/// The CogVideoX diffusion transformer with a Mixture-of-Transformers expert on the configured blocks
/// ("CogVideoXTransformer3DMOTModel"); without a reference, or without expert blocks, the plain image-to-video model.
///
/// The configuration's `coupling` makes it one of the paper's ablations.
package struct CogVideoXTransformer: Sendable {
  package let configuration: CogVideoXConfiguration
  private let embedding: Embedding
  private let expertEmbedding: Embedding?
  private let blocks: MixtureStack<CogVideoXBranch>
  private let head: CogVideoXHead
  private let expertHead: CogVideoXHead?

  /// Whether expert training, as published, changes the parameter: all of the expert's but its position table.
  package static func isExpertWeight(_ key: String) -> Bool {
    key.contains(expertSuffix) && !isExpertTable(key)
  }

  /// Whether this is the expert's position table.
  package static func isExpertTable(_ key: String) -> Bool {
    key.contains(expertSuffix) && key.hasSuffix("pos_embedding")
  }

  /// Whether the parameter makes the queries of the last expert, which nobody reads (see `MixtureStack`).
  package func makesUnreadQueries(_ key: String) -> Bool { blocks.makesUnreadQueries(key) }

  /// Patch and time embedding of one branch.
  private struct Embedding: Sendable {
    let patches: CogVideoXPatchEmbedding
    let time: EmbeddingProjection

    init(_ scope: ParameterScope, suffix: String, _ configuration: CogVideoXConfiguration) {
      patches = CogVideoXPatchEmbedding(scope("patch_embed\(suffix)"), configuration)
      time = EmbeddingProjection(
        scope("time_embedding\(suffix)"), inputs: configuration.hiddenSize, outputs: configuration.timeEmbeddingSize)
    }
  }

  package init(_ scope: ParameterScope, _ configuration: CogVideoXConfiguration) {
    self.configuration = configuration
    embedding = Embedding(scope, suffix: "", configuration)
    expertEmbedding = configuration.hasExpert ? Embedding(scope, suffix: expertSuffix, configuration) : nil
    blocks = MixtureStack(scope("transformer_blocks"), configuration) {
      CogVideoXBranch($0, suffix: $1, configuration)
    }
    head = CogVideoXHead(scope, suffix: "", configuration)
    expertHead = configuration.predictsReferences ? CogVideoXHead(scope, suffix: expertSuffix, configuration) : nil
  }

  /// Predicts the velocity of the target, `[B, F, out channels, H, W]`.
  package func callAsFunction(_ input: CogVideoXInput, context: RunContext = RunContext()) throws -> Tensor {
    try predict(input, context: context).target
  }

  /// Predicts the velocity of the target, and of the references where the model does: `[B, m F, out channels, H, W]`.
  package func predict(
    _ input: CogVideoXInput, context: RunContext = RunContext()
  ) throws -> (target: Tensor, references: Tensor?) {
    let time = embedding.time(sinusoid(input.timesteps))
    context.probe("temb", time)
    let (text, video) = embedding.patches(input.latents, input.text)
    var streams = MixtureStreams(target: .concatenated([text, video], axis: 1), reference: nil)
    context.probe("patch_embed", streams.target)
    let (textCount, videoCount) = (text.shape[1], video.shape[1])
    var target = CogVideoXConditioning(
      timeEmbedding: time.activated(.silu), rotary: input.rotary, textCount: textCount)
    var conditioning = StreamConditioning(target: target, reference: nil)
    if let clips = input.reference {
      if configuration.coupling == .inContext {
        streams.target = .concatenated([streams.target] + inContext(clips, input), axis: 1)
        target = CogVideoXConditioning(
          timeEmbeddings: target.timeEmbeddings,
          rotary: input.rotary.flatMap { own in clips.rotary.map(own.followed(by:)) }, textCount: textCount)
        conditioning = StreamConditioning(target: target, reference: nil)
      } else if let expertEmbedding {
        streams.reference = embedReferences(clips, frames: input.latents.shape[1], expertEmbedding, context)
        conditioning = expertConditioning(target, clips, input, expertEmbedding, context)
      }
    }
    let shown = conditioning
    let finished = try blocks(streams, conditioning, context: context) { index, streams in
      probe(streams, shown.target, shown.reference, block: index, context)
    }
    let own = head(finished.target.sliced(1, textCount..<textCount + videoCount), target.timeEmbeddings)
    guard let expertHead, let stream = finished.reference, let reference = conditioning.reference,
      let clips = input.reference
    else { return (unpatched(own, input.latents.shape), nil) }
    let others = expertHead(stream.sliced(1, reference.textCount..<stream.shape[1]), reference.timeEmbeddings)
    return (unpatched(own, input.latents.shape), unpatched(others, clips.latents.shape))
  }

  private func sinusoid(_ timesteps: [Float]) -> Tensor {
    sinusoidalEmbedding(
      timesteps, width: configuration.hiddenSize, isCosineFirst: configuration.isCosineFirst,
      frequencyShift: Float(configuration.frequencyShift))
  }

  /// The references' video tokens from the base's own embedding, one tensor per clip; their texts are not read.
  private func inContext(_ clips: CogVideoXInput.Reference, _ input: CogVideoXInput) -> [Tensor] {
    let frames = input.latents.shape[1]
    return (0..<clips.latents.shape[1] / frames).map { index in
      embedding.patches(clips.latents.sliced(1, index * frames..<(index + 1) * frames), input.text).video
    }
  }

  private func expertConditioning(
    _ target: CogVideoXConditioning, _ clips: CogVideoXInput.Reference, _ input: CogVideoXInput,
    _ embedding: Embedding, _ context: RunContext
  ) -> StreamConditioning<CogVideoXConditioning> {
    let textCount = clips.text.shape[1]
    let batch = input.timesteps.count
    // Clean reference latents, yet the expert is told the target's noise level: as published.
    let timesteps = clips.timesteps.map { $0.map { Array(repeating: $0, count: batch) } } ?? [input.timesteps]
    let times = timesteps.map { timesteps in
      let time = embedding.time(sinusoid(timesteps))
      context.probe("temb_mot_ref", time)
      return time.activated(.silu)
    }
    return StreamConditioning(
      target: target,
      reference: CogVideoXConditioning(
        timeEmbeddings: times, rotary: configuration.coupling.expertRunsAlone ? input.rotary : clips.rotary,
        textCount: textCount),
      referenceForBase: CogVideoXConditioning(
        timeEmbeddings: target.timeEmbeddings, rotary: clips.rotary, textCount: textCount))
  }

  /// Each reference is embedded by itself, so each gets the same position table; then texts are joined, then videos:
  /// `[B, m T + m N, D]`.
  private func embedReferences(
    _ clips: CogVideoXInput.Reference, frames: Int, _ embedding: Embedding, _ context: RunContext
  ) -> Tensor {
    let count = clips.latents.shape[1] / frames
    let textLength = clips.text.shape[1] / count
    let parts = (0..<count).map { index in
      embedding.patches(
        clips.latents.sliced(1, index * frames..<(index + 1) * frames),
        clips.text.sliced(1, index * textLength..<(index + 1) * textLength))
    }
    for (index, part) in parts.enumerated() {
      context.probe("patch_embed_mot_ref_\(index)", .concatenated([part.text, part.video], axis: 1))
    }
    return .concatenated(parts.map(\.text) + parts.map(\.video), axis: 1)
  }

  private func unpatched(_ tokens: Tensor, _ shape: Shape) -> Tensor {
    let (batch, frames, height, width) = (shape[0], shape[1], shape[3], shape[4])
    let (channels, patch) = (configuration.outChannels, configuration.patchSize)
    return tokens.reshaped([batch, frames, height / patch, width / patch, channels, patch, patch])
      .permuted(0, 1, 4, 2, 5, 3, 6)
      .reshaped([batch, frames, channels, height, width])
  }

  /// Shows a block's streams under the names of the reference implementation.
  private func probe(
    _ streams: MixtureStreams, _ target: CogVideoXConditioning, _ reference: CogVideoXConditioning?, block: Int,
    _ context: RunContext
  ) {
    func show(_ stream: Tensor, _ textCount: Int, _ suffix: String) {
      context.probe(
        "block_\(block).encoder_hidden_states\(suffix)", stream.sliced(1, 0..<textCount))
      context.probe(
        "block_\(block).hidden_states\(suffix)", stream.sliced(1, textCount..<stream.shape[1]))
    }
    show(streams.target, target.textCount, "")
    if let reference, let stream = streams.reference { show(stream, reference.textCount, expertSuffix) }
  }
}
