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
    let directory = "\(goldens.checkpoint)/image_encoder"
    let processor = try ConfigFile.decode(
      CLIPImageConfiguration.self, at: "\(goldens.checkpoint)/image_processor/preprocessor_config.json")
    let configuration = try ConfigFile.decode(CLIPVisionConfiguration.self, at: "\(directory)/config.json")
    let loader = ParameterLoader(try WeightStore(directory: directory))
    let encoder = CLIPVisionEncoder(loader.root, configuration)
    try loader.finish(ignoring: CLIPVisionEncoder.isUnusedKey)
    let tensors = try golden.openTensors()
    for name in tensors.names where name.hasPrefix("image") && name.hasSuffix(".uint8") {
      let item = name.dropLast(".uint8".count)
      let resized = try VideoClip(bytes: tensors[name]).resized(
        shortestSide: processor.shortestSide, filter: .bicubic)
      comparison.compare(
        "\(item).resized_uint8", resized.pixels.map(Int.init), try tensors["\(item).resized_uint8"].integers())
      let expected = try tensors["\(item).pixel_values"]
      let pixels = resized.centerCropped(to: FrameSize(width: processor.cropWidth, height: processor.cropHeight))
        .normalizedTensor(means: processor.means, deviations: processor.deviations)
      comparison.compare("\(item).pixel_values", pixels[0], expected, Self.pixels)

      let input = expected.reshaped(Shape([1] + expected.shape.extents))
      let observed = ObservedTensors()
      _ = try encoder.tokens(
        of: input, afterLayers: configuration.transformer.layerCount, context: RunContext(observer: observed.note))
      for (stage, tensor) in observed.tensors {
        if let expected = try tensors.optional("\(item).\(stage)") {
          comparison.compare("\(item).\(stage)", tensor[0], expected, Self.forward)
        }
      }
      comparison.compare(
        "\(item).image_embeds", try encoder.tokens(of: input, context: RunContext())[0],
        try tensors["\(item).image_embeds"], Self.forward)
    }
  }
}
