import Media
import Tensors

/// Cases `preprocess` and `selections`: resizing images to the model's size, and choosing frames.
struct PreprocessCases {
  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    for name in tensors.names where name.hasSuffix(".image_uint8") {
      let item = name.dropLast(".image_uint8".count)
      let expected = try tensors["\(item).preprocessed"]
      let size = FrameSize(width: expected.shape[-1], height: expected.shape[-2])
      let pixels = try VideoClip(bytes: tensors[name]).resized(to: size).pixelTensor()
      comparison.compare("\(item)", pixels.reshaped(expected.shape), expected, Tolerance(absolute: 1e-6))
    }
    for (key, value) in golden.info["evenly_indices"]?.object ?? [:] {
      let numbers = key.split(separator: "->").compactMap { Int($0) }
      guard numbers.count == 2, let indices = value.ints else {
        throw golden.failure("has bad evenly_indices '\(key)'")
      }
      comparison.compare(key, FrameSelection.evenIndices(selecting: numbers[1], of: numbers[0]), indices)
    }
  }

  func runSelections(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    for item in golden.info["selections"]?.array ?? [] {
      guard let length = item["length"]?.int, let count = item["count"]?.int, let indices = item["indices"]?.ints else {
        throw golden.failure("has a selection without length, count or indices")
      }
      comparison.compare(
        "\(length)->\(count)", FrameSelection.evenIndices(selecting: count, of: length), indices)
    }
  }
}
