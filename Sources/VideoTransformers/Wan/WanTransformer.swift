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
/// References pass through blocks without an expert unchanged. The published code knows one reference; several are told
/// apart by their rotary positions, and each attends to its own caption and image.
package struct WanTransformer: Sendable {
  package let configuration: WanConfiguration
  private let embedding: Embedding
  private let expertEmbedding: Embedding?
  private let blocks: MixtureStack<WanBranch>
  private let outputTable: Parameter
  private let outputNorm: LayerNorm
  private let output: Linear

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
    let width = configuration.hiddenSize
    embedding = Embedding(scope, suffix: "", configuration)
    expertEmbedding = configuration.hasExpert ? Embedding(scope, suffix: expertSuffix, configuration) : nil
    blocks = MixtureStack(
      scope("blocks"), count: configuration.layerCount, expertLayers: configuration.expertLayers
    ) { WanBranch($0, suffix: $1, configuration) }
    outputTable = scope.parameter(
      "scale_shift_table", [1, 2, width], initially: .normal(deviation: 1 / Float(width).squareRoot()))
    outputNorm = LayerNorm(
      scope("norm_out"), width: width, epsilon: Float(configuration.normEpsilon), isAffine: false)
    output = Linear(
      scope("proj_out"), inputs: width, outputs: configuration.outChannels * configuration.patchSize.reduce(1, *))
  }

  /// Whether published files carry a key without use.
  package static func isUnusedKey(_ key: String) -> Bool { key.contains("norm_added_q") }

  /// Whether expert training, as published, changes the parameter.
  package static func isExpertWeight(_ key: String) -> Bool { key.contains(expertSuffix) }

  /// Whether the parameter makes the queries of the last expert, which nobody reads (see `MixtureStack`).
  package func makesUnreadQueries(_ key: String) -> Bool { blocks.makesUnreadQueries(key) }

  /// Predicts noise minus sample of the target, `[B, out channels, F, H, W]`.
  package func callAsFunction(_ input: WanInput, context: RunContext = RunContext()) throws -> Tensor {
    let batch = input.latents.shape[0]
    let stream = patches(of: input.latents, embedding, context)
    let conditions = context.scoped("condition_embedder")
    let time = embedding.conditions.embed(timesteps: input.timesteps, conditions)
    let contexts = embedding.conditions.embed(text: input.text, image: input.image, conditions)
    let target = WanConditioning(
      parts: [
        WanConditioning.Part(
          tokens: 0..<stream.shape[1], modulation: time.modulation.reshaped([batch, 6, configuration.hiddenSize]),
          text: contexts.text, image: contexts.image)
      ], rotary: input.rotary)

    var streams = MixtureStreams(target: stream, reference: nil)
    var reference: WanConditioning?
    if let expertEmbedding, let clips = input.reference {
      let stream = patches(of: clips.latents, expertEmbedding, context)
      streams.reference = stream
      reference = condition(clips, tokens: stream.shape[1], expertEmbedding, context)
    }
    let finished = try blocks(
      streams, StreamConditioning(target: target, reference: reference), context: context
    ) { index, streams in
      context.probe("block\(index).target", streams.target)
      if let stream = streams.reference { context.probe("block\(index).reference", stream) }
    }
    return unpatched(predict(finished.target, time.time), input.latents.shape)
  }

  private func patches(of latents: Tensor, _ embedding: Embedding, _ context: RunContext) -> Tensor {
    let tokens = embedding.patches(latents)
    context.probe("patch_embedding\(embedding.suffix)", embedding.patches.planes(of: tokens, latents.shape))
    return tokens
  }

  /// Each reference has a timestep, a caption and an image of its own.
  private func condition(
    _ clips: WanInput.Reference, tokens: Int, _ embedding: Embedding, _ context: RunContext
  ) -> WanConditioning {
    let (count, batch) = (clips.timesteps.count, clips.latents.shape[0])
    let conditions = context.scoped("condition_embedder\(embedding.suffix)")
    let time = embedding.conditions.embed(timesteps: clips.timesteps, conditions)
    let contexts = embedding.conditions.embed(text: clips.text, image: clips.image, conditions)
    func share(_ tensor: Tensor, _ index: Int) -> Tensor {
      let length = tensor.shape[1] / count
      return tensor.sliced(1, index * length..<(index + 1) * length).dense()
    }
    return WanConditioning(
      parts: (0..<count).map { index in
        WanConditioning.Part(
          tokens: tokens / count * index..<tokens / count * (index + 1),
          modulation: time.modulation.sliced(0, index..<index + 1).reshaped([1, 6, configuration.hiddenSize])
            .repeated(batch),
          text: share(contexts.text, index), image: share(contexts.image, index))
      }, rotary: clips.rotary)
  }

  /// - Parameter time: the embedded timestep itself, not what the blocks are modulated by: `[B, D]`.
  private func predict(_ stream: Tensor, _ time: Tensor) -> Tensor {
    let (batch, width) = (time.shape[0], configuration.hiddenSize)
    let rows = Tensor.concatenated([time, time], axis: 1).reshaped([batch, 2, width])
      .addingRows(outputTable.tensor[0]).reshaped([batch, 2 * width])  // shift, then scale
    let modulation = Modulation(
      tokens: 0..<stream.shape[1], scale: rows.sliced(1, width..<2 * width), shift: rows.sliced(1, 0..<width))
    return output(outputNorm(stream, [modulation]))  // [B, N, patch rows, patch columns, C], channel innermost
  }

  private func unpatched(_ tokens: Tensor, _ shape: Shape) -> Tensor {
    let (batch, frames, height, width) = (shape[0], shape[2], shape[3], shape[4])
    let (channels, rows, columns) = (configuration.outChannels, configuration.patchSize[1], configuration.patchSize[2])
    return tokens.reshaped([batch, frames, height / rows, width / columns, rows, columns, channels])
      .permuted(0, 6, 1, 2, 4, 3, 5)
      .reshaped([batch, channels, frames, height, width])
  }
}

/// Turns latents into tokens: a convolution whose stride is the size of a patch.
struct WanPatchEmbedding: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let rows: Int
  private let columns: Int

  /// Keys: `weight` `[D, C, 1, patch rows, patch columns]`, `bias` `[D]`.
  init(_ scope: ParameterScope, _ configuration: WanConfiguration) {
    rows = configuration.patchSize[1]
    columns = configuration.patchSize[2]
    weight = scope.parameter("weight", [configuration.hiddenSize, configuration.inChannels, 1, rows, columns])
    bias = scope.parameter(
      "bias", [configuration.hiddenSize], initially: .uniform(fanIn: configuration.inChannels * rows * columns))
  }

  /// `[B, C, F, H, W]` to `[B, F H/rows W/columns, D]`, in (frame, row, column) order.
  func callAsFunction(_ latents: Tensor) -> Tensor {
    let (batch, channels, frames) = (latents.shape[0], latents.shape[1], latents.shape[2])
    let (height, width) = (latents.shape[3] / rows, latents.shape[4] / columns)
    let size = channels * rows * columns
    return latents.reshaped([batch, channels, frames, height, rows, width, columns])
      .permuted(0, 2, 3, 5, 1, 4, 6)
      .reshaped([batch, frames * height * width, size])
      .linear(weight.tensor.reshaped([weight.shape[0], size]), bias: bias.tensor)
  }

  /// Tokens in the convolution's own layout, `[B, D, F, H/rows, W/columns]`.
  func planes(of tokens: Tensor, _ shape: Shape) -> Tensor {
    tokens.transposed(1, 2).reshaped([shape[0], tokens.shape[2], shape[2], shape[3] / rows, shape[4] / columns])
  }
}
