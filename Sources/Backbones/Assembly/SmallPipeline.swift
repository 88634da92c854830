import Autoencoders
import Checkpoints
import Encoders
import Foundation
import Layers
import Runtime
import Tensors
import Tokenizers
import VideoTransformers

/// A small CogVideoX pipeline with fresh weights, in the published layout: what the training of a miniature starts from.
///
/// Its text encoder is never trained: one layer of fresh weights leaves each word a vector of its own, with a little of the
/// words around it, and that is all the transformer needs of a small vocabulary.
package struct SmallPipeline: Sendable {
  /// Pixels along a side, a multiple of 8.
  package var size = 48
  /// 8k + 1.
  package var frames = 17
  package var seed: UInt64 = 42
  /// The vocabulary of its captions.
  package var words: [String] = []

  // Sizes by measurement: a small autoencoder that rebuilds clips at 34 dB, and a transformer that learns 24 conditions.
  private static let autoencoderChannels = [16, 32, 48]
  private static let (layers, heads, headSize, timeSize) = (6, 4, 48, 64)
  private static let (textSize, textTokens) = (64, 16)

  package init() {}

  /// Writes all components into a folder that is made if there is none; what cannot be completed leaves nothing.
  ///
  /// Throws `BackboneFailure.output` if any of a pipeline lies there already.
  package func write(to directory: String) throws {
    let output = PipelineOutput(directory: directory)
    try output.check()
    try output.write(writeParts)
  }

  private func writeParts(to directory: String) throws {
    for component in PipelineOutput.components { try Folder.make("\(directory)/\(component)") }
    let tokens = try WordModel.write(words: words, to: "\(directory)/tokenizer")
    try write(Self.scheduler, to: "\(directory)/scheduler/scheduler_config.json")
    try write(textEncoder(tokens: tokens), to: "\(directory)/text_encoder/config.json")
    try write(autoencoder, to: "\(directory)/vae/config.json")
    try write(transformer, to: "\(directory)/transformer/config.json")
    try write(PipelineIndex(hasExpert: false).contents, to: "\(directory)/\(PipelineOutput.index)")
    try AtomicFile.write(Data(PipelineAdvice.miniature.utf8), to: "\(directory)/\(PipelineAdvice.fileName)")
    let text = try ConfigFile.decode(T5EncoderConfiguration.self, at: "\(directory)/text_encoder/config.json")
    // As it will be used ever after: float16 from the start.
    try SafetensorsWriter.write(
      fresh { _ = T5Encoder($0, text) }.map { ($0.name, $0.tensor.stored(as: .float16)) }, metadata: ["format": "pt"],
      to: "\(directory)/text_encoder/model.safetensors")
    let vae = try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: "\(directory)/vae/config.json")
    try WeightsFolder.write(fresh { _ = CogVideoXAutoencoder($0, vae) }, to: "\(directory)/vae")
    let own = try ConfigFile.decode(CogVideoXConfiguration.self, at: "\(directory)/transformer/config.json")
    try WeightsFolder.write(fresh { _ = CogVideoXTransformer($0, own) }, to: "\(directory)/transformer")
  }

  private func fresh(_ build: (ParameterScope) -> Void) -> [(name: String, tensor: Tensor)] {
    let loader = ParameterLoader(FreshSource(seed: seed))
    build(loader.root)
    return loader.parameters.map { ($0.key, $0.tensor) }
  }

  private func write(_ contents: JSONValue, to path: String) throws {
    try AtomicFile.write(Data(contents.text.utf8), to: path)
  }
}

// MARK: - Configurations

extension SmallPipeline {
  /// CogVideoX-5B's: pure noise at the last timestep, velocities.
  private static var scheduler: JSONValue {
    [
      "_class_name": "CogVideoXDDIMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear",
      "beta_start": 0.00085, "clip_sample": false, "num_train_timesteps": 1000, "prediction_type": "v_prediction",
      "rescale_betas_zero_snr": true, "set_alpha_to_one": true, "snr_shift_scale": 1.0, "steps_offset": 0,
      "timestep_spacing": "trailing",
    ]
  }

  private func textEncoder(tokens: Int) -> JSONValue {
    [
      "architectures": ["T5EncoderModel"], "d_ff": 128, "d_kv": 16, "d_model": .number("\(Self.textSize)"),
      "dense_act_fn": "relu", "feed_forward_proj": "relu", "is_encoder_decoder": false, "layer_norm_epsilon": 1e-6,
      "model_type": "t5", "num_heads": 4, "num_layers": 1, "pad_token_id": 0, "eos_token_id": 1,
      "relative_attention_max_distance": 32, "relative_attention_num_buckets": 16,
      "vocab_size": .number("\(tokens)"),
    ]
  }

  private var autoencoder: JSONValue {
    let channels = Self.autoencoderChannels
    return [
      "_class_name": "AutoencoderKLCogVideoX", "act_fn": "silu",
      "block_out_channels": .list(channels.map { .number("\($0)") }),
      "down_block_types": .list(channels.map { _ in "CogVideoXDownBlock3D" }), "in_channels": 3,
      "invert_scale_latents": false, "latent_channels": 16, "layers_per_block": 1, "norm_eps": 1e-6,
      "norm_num_groups": 8, "out_channels": 3, "sample_height": .number("\(size)"),
      "sample_width": .number("\(size)"), "scaling_factor": 1.0, "temporal_compression_ratio": 4,
      "up_block_types": .list(channels.map { _ in "CogVideoXUpBlock3D" }), "use_post_quant_conv": false,
      "use_quant_conv": false,
    ]
  }

  private var transformer: JSONValue {
    [
      "_class_name": "CogVideoXTransformer3DModel", "activation_fn": "gelu-approximate", "attention_bias": true,
      "attention_head_dim": .number("\(Self.headSize)"), "flip_sin_to_cos": true, "freq_shift": 0,
      "in_channels": 32, "max_text_seq_length": .number("\(Self.textTokens)"), "norm_elementwise_affine": true,
      "norm_eps": 1e-5, "num_attention_heads": .number("\(Self.heads)"), "num_layers": .number("\(Self.layers)"),
      "out_channels": 16, "patch_bias": true, "patch_size": 2, "sample_frames": .number("\(frames)"),
      "sample_height": .number("\(size / 4)"), "sample_width": .number("\(size / 4)"),
      "spatial_interpolation_scale": 1.0, "temporal_compression_ratio": 4, "temporal_interpolation_scale": 1.0,
      "text_embed_dim": .number("\(Self.textSize)"), "time_embed_dim": .number("\(Self.timeSize)"),
      "timestep_activation_fn": "silu", "use_learned_positional_embeddings": true,
      "use_rotary_positional_embeddings": true,
    ]
  }
}
