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

  /// Clean reference latents, m clips of the target's length joined along frames: `[B, m F, C, H, W]`, and their texts
  /// `[B, m T, text size]`.
  package struct Reference: Sendable {
    package let latents: Tensor
    package let text: Tensor
    package let rotary: RotaryTable?

    package init(latents: Tensor, text: Tensor, rotary: RotaryTable?) {
      self.latents = latents
      self.text = text
      self.rotary = rotary
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
package struct CogVideoXTransformer: Sendable {
  package let configuration: CogVideoXConfiguration
  private let embedding: Embedding
  private let expertEmbedding: Embedding?
  private let blocks: MixtureStack<CogVideoXBranch>
  private let finalNorm: LayerNorm
  private let outputModulation: Linear
  private let outputNorm: LayerNorm
  private let output: Linear

  /// Whether expert training, as published, changes the parameter: all of the expert's but its position table.
  package static func isExpertWeight(_ key: String) -> Bool {
    key.contains(expertSuffix) && !key.hasSuffix("pos_embedding")
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
    let (width, epsilon) = (configuration.hiddenSize, Float(configuration.normEpsilon))
    embedding = Embedding(scope, suffix: "", configuration)
    expertEmbedding = configuration.hasExpert ? Embedding(scope, suffix: expertSuffix, configuration) : nil
    blocks = MixtureStack(
      scope("transformer_blocks"), count: configuration.layerCount, expertLayers: configuration.expertLayers
    ) { CogVideoXBranch($0, suffix: $1, configuration) }
    finalNorm = LayerNorm(
      scope("norm_final"), width: width, epsilon: epsilon, isAffine: configuration.isNormAffine)
    outputModulation = Linear(
      scope("norm_out")("linear"), inputs: configuration.timeEmbeddingSize, outputs: 2 * width)
    outputNorm = LayerNorm(
      scope("norm_out")("norm"), width: width, epsilon: epsilon, isAffine: configuration.isNormAffine)
    output = Linear(
      scope("proj_out"), inputs: width,
      outputs: configuration.outChannels * configuration.patchSize * configuration.patchSize)
  }

  /// Predicts the velocity of the target, `[B, F, out channels, H, W]`.
  package func callAsFunction(_ input: CogVideoXInput, context: RunContext = RunContext()) throws -> Tensor {
    let frames = input.latents.shape[1]
    let sinusoid = sinusoidalEmbedding(
      input.timesteps, width: configuration.hiddenSize, isCosineFirst: configuration.isCosineFirst,
      frequencyShift: Float(configuration.frequencyShift))
    let time = embedding.time(sinusoid)
    context.probe("temb", time)
    let (text, video) = embedding.patches(input.latents, input.text)
    var streams = MixtureStreams(target: .concatenated([text, video], axis: 1), reference: nil)
    context.probe("patch_embed", streams.target)
    let target = CogVideoXConditioning(
      timeEmbedding: time.activated(.silu), rotary: input.rotary, textCount: text.shape[1])

    let reference: CogVideoXConditioning?
    if let expertEmbedding, let clips = input.reference {
      // The reference latents are clean, yet the expert is told the target's noise level: as published.
      let time = expertEmbedding.time(sinusoid)
      context.probe("temb_mot_ref", time)
      streams.reference = embedReferences(clips, frames: frames, expertEmbedding, context)
      reference = CogVideoXConditioning(
        timeEmbedding: time.activated(.silu), rotary: clips.rotary, textCount: clips.text.shape[1])
    } else {
      reference = nil
    }

    let finished = try blocks(streams, target: target, reference: reference, context: context) { index, streams in
      probe(streams, target, reference, block: index, context)
    }
    return unpatched(predict(finished.target, target), input.latents.shape)
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

  private func predict(_ stream: Tensor, _ conditioning: CogVideoXConditioning) -> Tensor {
    let video = stream.sliced(1, conditioning.textCount..<stream.shape[1])
    let modulation = outputModulation(conditioning.timeEmbedding)  // [B, 2 D]: shift, then scale
    let width = configuration.hiddenSize
    let normed = outputNorm(
      finalNorm(video),
      [
        Modulation(
          tokens: 0..<video.shape[1], scale: modulation.sliced(1, width..<2 * width),
          shift: modulation.sliced(1, 0..<width))
      ])
    return output(normed)  // [B, N, C p p], channel outermost
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
