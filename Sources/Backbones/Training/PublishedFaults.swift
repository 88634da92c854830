/// Documented faults of the published training that can be reproduced on request; the default is to avoid them.
package struct PublishedFaults: OptionSet, Sendable {
  package let rawValue: Int

  package init(rawValue: Int) { self.rawValue = rawValue }

  /// Five of the thousand timesteps come out one lower: trunc(float32(t / 1000) * 1000).
  package static let loweredTimesteps = PublishedFaults(rawValue: 1 << 0)
  /// Amplitudes of signal and noise are rounded to bfloat16; timesteps 0 and 1 then add no noise.
  package static let roundedAmplitudes = PublishedFaults(rawValue: 1 << 1)
  /// All ranks draw the same timestep and the same noise at a step.
  package static let sharedDraws = PublishedFaults(rawValue: 1 << 2)
  /// Gradients are clipped after every sample of an accumulation instead of once before the update.
  package static let repeatedClipping = PublishedFaults(rawValue: 1 << 3)
  /// Weights that nobody reads get gradients of zero, so that weight decay works on them.
  package static let decayOfUnread = PublishedFaults(rawValue: 1 << 4)
  /// Wan: logarithms of variances are normalised as if they were means before targets and references are sampled.
  package static let normalizedVariances = PublishedFaults(rawValue: 1 << 5)
  /// Wan: the image encoder sees frames whose pixels are stretched to full colour each (see `StretchedPicture`).
  package static let stretchedPictures = PublishedFaults(rawValue: 1 << 6)
  /// Wan: captions are not cleaned, and their padding is encoded and attended to like text.
  package static let unmaskedCaptions = PublishedFaults(rawValue: 1 << 7)

  package static let all: PublishedFaults = [
    .loweredTimesteps, .roundedAmplitudes, .sharedDraws, .repeatedClipping, .decayOfUnread, .normalizedVariances,
    .stretchedPictures, .unmaskedCaptions,
  ]
}
