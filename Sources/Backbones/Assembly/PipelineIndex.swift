import Checkpoints

/// `model_index.json` of a CogVideoX image-to-video pipeline.
struct PipelineIndex {
  /// Whether its transformer has a Video-As-Prompt expert.
  let hasExpert: Bool

  var contents: JSONValue {
    let part = hasExpert ? "MOT" : ""
    return [
      "_class_name": .string("CogVideoXImageToVideo\(part)Pipeline"),
      "scheduler": ["diffusers", "CogVideoXDDIMScheduler"], "text_encoder": ["transformers", "T5EncoderModel"],
      "tokenizer": ["transformers", "T5Tokenizer"],
      "transformer": ["diffusers", .string("CogVideoXTransformer3D\(part)Model")],
      "vae": ["diffusers", "AutoencoderKLCogVideoX"],
    ]
  }
}
