import Checkpoints
import Compute
import Encoders
import Evaluation
import Layers
import Media
import Tensors
import Tokenizers

/// Cases of CLIP: the preparation of images, both encoders in both layouts, and the two metrics on them.
struct CLIPCases {
  let goldens: GoldenSet

  private static let imageTolerance = Tolerance(absolute: 2e-5)
  private static let featureTolerance = Tolerance(absolute: 2e-5, relative: 1e-5)
  private static let side = 224

  private func model(_ name: String) throws -> CLIPModel {
    try CLIPModel(file: "\(goldens.directory)/\(name).safetensors")
  }

  func runPreprocessing(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    let picture = try VideoClip(bytes: tensors["input_u8"])
    comparison.compare(
      "pil_u8", CLIPImages.cropped(picture, side: Self.side).pixels.map { Int($0) }, try tensors["pil_u8"].integers())
    let (resampled, interpolated) = (
      CLIPImages.resampled(picture, side: Self.side), CLIPImages.interpolated(picture, side: Self.side)
    )
    for (name, image, rows) in [
      ("pil_normalised_rows_0_8", resampled, 0..<8), ("tensor_normalised_rows_0_8", interpolated, 0..<8),
      ("tensor_normalised_rows_216_224", interpolated, 216..<224),
    ] {
      guard let expected = try tensors.optional(name) else { continue }
      comparison.compare(name, image[0].sliced(1, rows), expected, Self.imageTolerance)
    }
  }

  func runNetwork(_ golden: GoldenCase, _ names: [String], into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    // A set may hold one of the layouts only.
    for name in names where goldens.contains("\(name).safetensors") {
      let model = try model(name)
      for video in goldens.videoNames {
        let clip = try goldens.video(video)
        let frame = clip.selecting([clip.frameCount / 2])
        try compareImages(video, frame, tensors, into: &comparison)
        for (route, pixels) in [
          ("pil", CLIPImages.resampled(frame, side: Self.side)),
          ("tensor", CLIPImages.interpolated(frame, side: Self.side)),
        ] {
          let observed = ObservedTensors()
          let features = try model.vision.embedding(of: pixels, context: RunContext(observer: observed.note))
          let key = "\(video).image_features.\(route)"
          if let expected = try tensors.optional(key) {
            comparison.compare("\(name) \(key)", features, expected, Self.featureTolerance)
          }
          for (key, shown) in [("ln_pre", "hidden_states.0"), ("block0", "hidden_states.1")] {
            guard let expected = try tensors.optional("\(video).vision.\(key).\(route).first8tokens"),
              let actual = observed.byName[shown]
            else { continue }
            comparison.compare("\(name) \(video) \(key)", actual.sliced(1, 0..<8), expected, Self.featureTolerance)
          }
        }
      }
      try compareTexts(name, model, tensors, into: &comparison)
    }
  }

  private func compareImages(
    _ video: String, _ frame: VideoClip, _ tensors: GoldenTensors, into comparison: inout Comparison
  ) throws {
    if let expected = try tensors.optional("\(video).preprocess.pil_u8") {
      let image = CLIPImages.cropped(frame, side: Self.side)
      comparison.compare("\(video) image", image.pixels.map { Int($0) }, expected.integers())
    }
    let image = CLIPImages.interpolated(frame, side: Self.side)[0]
    if let expected = try tensors.optional("\(video).preprocess.tensor_f32") {
      comparison.compare("\(video) image by tensors", image, expected, Self.imageTolerance)
    }
    if let expected = try tensors.optional("\(video).preprocess.tensor_f32_rows_100_104") {
      comparison.compare("\(video) image by tensors", image.sliced(1, 100..<104), expected, Self.imageTolerance)
    }
  }

  private func compareTexts(
    _ name: String, _ model: CLIPModel, _ tensors: GoldenTensors, into comparison: inout Comparison
  ) throws {
    guard let expected = try tensors.optional("text.features"), let prompts = goldens.document["prompts"]?.strings
    else {
      return
    }
    let tokenizer = try CLIPTokenizer(file: "\(goldens.directory)/bpe_tiny.txt.gz")
    let ids = prompts.map { tokenizer.encode($0).ids }
    comparison.compare("\(name) text.tokens", ids.joined().map(Int.init), try tensors["text.tokens"].integers())
    let observed = ObservedTensors()
    let features = try model.text.embedding(of: ids, context: RunContext(observer: observed.note))
    comparison.compare("\(name) text.features", features, expected, Self.featureTolerance)
    if let expected = try tensors.optional("text.ln_final"), let final = observed.byName["text.final"] {
      comparison.compare(
        "\(name) text.ln_final", final.sliced(0, 0..<expected.shape[0]), expected, Self.featureTolerance)
    }
  }

  func runScore(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let metric = try CLIPScore(
      model("clip_b32_tiny"), CLIPTokenizer(file: "\(goldens.directory)/bpe_tiny.txt.gz"))
    for (video, prompts) in (golden.info.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      let clip = try goldens.video(video)
      for (name, info) in (prompts.object ?? [:]).sorted(by: { $0.key < $1.key }) {
        guard let text = info["prompt"]?.string, let value = info["score_x100"]?.double,
          let cosines = info["frame_cosine"]?.array?.compactMap(\.double)
        else { throw golden.failure("does not describe \(video), \(name)") }
        let score = try metric.score(clip, text: text)
        comparison.compare("\(video) \(name) cosines", score.cosines, cosines, Tolerance(absolute: 2e-6))
        comparison.compare("\(video) \(name)", [score.value], [value], Tolerance(absolute: 1e-4))
      }
    }
  }

  func runAesthetics(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let metric = try AestheticQuality(
      model("clip_l14_tiny"), head: "\(goldens.directory)/aesthetic_head.safetensors")
    for (video, info) in (golden.info.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let value = info["score"]?.double, let marks = info["frame_raw"]?.array?.compactMap(\.double) else {
        throw golden.failure("does not describe video '\(video)'")
      }
      let score = try metric.score(goldens.video(video))
      comparison.compare("\(video) marks", score.marks, marks, Tolerance(absolute: 5e-5))
      comparison.compare("\(video) score", [score.value], [value], Tolerance(absolute: 5e-6))
    }
  }
}
