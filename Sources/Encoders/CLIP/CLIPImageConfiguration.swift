import Checkpoints

/// `preprocessor_config.json` of a CLIP image encoder: how pictures become its input.
///
/// The shortest side is resized, bicubic with antialiasing, the middle is cut out, and channels are normalised. Absent
/// fields take the published class's defaults.
package struct CLIPImageConfiguration: ValidatedConfig, Sendable, Equatable {
  /// In pixels.
  package var shortestSide = 224
  package var cropHeight = 224
  package var cropWidth = 224
  /// Of red, green and blue, in 0...1.
  package var means = [0.48145466, 0.4578275, 0.40821073]
  package var deviations = [0.26862954, 0.26130258, 0.27577711]

  package init() {}
}

// MARK: - Reading

extension CLIPImageConfiguration {
  private enum CodingKeys: String, CodingKey {
    case size
    case crop = "crop_size"
    case means = "image_mean"
    case deviations = "image_std"
    // Settings this implementation knows one value of.
    case resizes = "do_resize"
    case crops = "do_center_crop"
    case rescales = "do_rescale"
    case normalizes = "do_normalize"
    case filter = "resample"
    case rescaleFactor = "rescale_factor"
  }

  private enum SizeKeys: String, CodingKey {
    case shortestSide = "shortest_edge"
    case height, width
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    // Older files give sizes as numbers.
    if let side = try? values.decode(Int.self, forKey: .size) {
      shortestSide = side
    } else if values.contains(.size) {
      let size = try values.nestedContainer(keyedBy: SizeKeys.self, forKey: .size)
      shortestSide = try size.decode(Int.self, forKey: .shortestSide)
    }
    if let side = try? values.decode(Int.self, forKey: .crop) {
      (cropHeight, cropWidth) = (side, side)
    } else if values.contains(.crop) {
      let size = try values.nestedContainer(keyedBy: SizeKeys.self, forKey: .crop)
      cropHeight = try size.decode(Int.self, forKey: .height)
      cropWidth = try size.decode(Int.self, forKey: .width)
    }
    try values.read(.means, into: &means)
    try values.read(.deviations, into: &deviations)
    for key in [CodingKeys.resizes, .crops, .rescales, .normalizes] { try values.require(true, forKey: key) }
    // Pillow's number of the bicubic filter.
    try values.require(3, forKey: .filter)
    try values.require(1 / 255.0, forKey: .rescaleFactor)
  }

  package func validate() throws(InvalidField) {
    try InvalidField.check(CodingKeys.size.rawValue, shortestSide, in: 1...16_384)
    guard (1...shortestSide).contains(cropHeight), (1...shortestSide).contains(cropWidth) else {
      throw InvalidField(
        CodingKeys.crop.rawValue, "must lie within the resized picture, whose shortest side is \(shortestSide)")
    }
    guard means.count == 3, means.allSatisfy(\.isFinite) else {
      throw InvalidField(CodingKeys.means.rawValue, "must have three numbers")
    }
    guard deviations.count == 3, deviations.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw InvalidField(CodingKeys.deviations.rawValue, "must have three positive numbers")
    }
  }
}
