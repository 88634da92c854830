import Backbones
import Checkpoints
import Compute
import Encoders
import Layers
import Media
import Tensors

/// Case `clip`: preparation of images, and the image encoder.
struct WanImageCases {
  private static let forward = Tolerance(norm: 1e-4)
  private static let pixels = Tolerance(absolute: 1e-6)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let processor = try ConfigFile.decode(
      CLIPImageConfiguration.self, at: "\(goldens.checkpoint)/image_processor/preprocessor_config.json")
    let configuration = try goldens.configuration(CLIPVisionConfiguration.self, of: "image_encoder")
    let encoder = try goldens.load("image_encoder", ignoring: CLIPVisionEncoder.isUnusedKey) {
      CLIPVisionEncoder($0, configuration)
    }
    let pictures = WanPictureEncoder(encoder, processor)
    let tensors = try golden.openTensors()
    for name in tensors.names where name.hasPrefix("image") && name.hasSuffix(".uint8") {
      let item = name.dropLast(".uint8".count)
      let image = try VideoClip(bytes: tensors[name])
      let resized = image.resized(shortestSide: processor.shortestSide, filter: .bicubic)
      comparison.compare(
        "\(item).resized_uint8", resized.pixels.map(Int.init), try tensors["\(item).resized_uint8"].integers())
      let expected = try tensors["\(item).pixel_values"]
      comparison.compare("\(item).pixel_values", try pictures.pixels(of: image)[0], expected, Self.pixels)

      let observed = ObservedTensors()
      _ = try encoder.tokens(
        of: expected.reshaped(Shape([1] + expected.shape.extents)), afterLayers: configuration.transformer.layerCount,
        context: RunContext(observer: observed.note))
      for (stage, tensor) in observed.tensors {
        if let expected = try tensors.optional("\(item).\(stage)") {
          comparison.compare("\(item).\(stage)", tensor[0], expected, Self.forward)
        }
      }
      comparison.compare(
        "\(item).image_embeds", try pictures.tokens(of: image, context: RunContext())[0],
        try tensors["\(item).image_embeds"], Self.forward)
    }
    try compareTraining(pictures, tensors, &comparison)
  }

  /// What published training shows the encoder.
  private func compareTraining(
    _ pictures: WanPictureEncoder, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    for name in tensors.names where name.hasPrefix("training.") && name.hasSuffix(".video_frame") {
      let item = name.dropLast(".video_frame".count)
      let frame = try tensors[name]
      let picture = StretchedPicture(frame)
      comparison.compare("\(item).normalized", picture.channels, try tensors["\(item).normalized"], Self.pixels)
      if let expected = try tensors.optional("\(item).pixel_values") {
        comparison.compare("\(item).pixel_values", try pictures.pixels(of: picture)[0], expected, Self.pixels)
      }
      comparison.compare(
        "\(item).image_embeds", try pictures.tokens(of: picture, context: RunContext())[0],
        try tensors["\(item).image_embeds"], Self.forward)
    }
  }
}
