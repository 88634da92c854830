import Checkpoints
import Compute
import Tensors

/// Latents in a safetensors file: a tensor `latents` `[1, F, C, H, W]`, and in the metadata whether they are denoised.
///
/// A file without the mark holds noise to start from, as the published pipelines take it.
package struct LatentsFile: Sendable {
  private static let stateKey = "vap.latents"

  package let latents: Tensor
  package let isDenoised: Bool

  package init(path: String, expected: Shape) throws {
    let reader = try SafetensorsReader(path: path)
    guard reader.contains("latents") else { throw GenerationFailure.noLatents(path: path) }
    let stored = try reader.tensor(named: "latents")
    guard stored.dtype.isWeight else { throw GenerationFailure.noLatents(path: path) }
    latents = stored.dense()
    guard latents.nonFiniteCount == 0 else { throw GenerationFailure.notFiniteLatents(path: path) }
    isDenoised = reader.metadata[Self.stateKey] == "denoised"
    guard latents.shape == expected else {
      throw GenerationFailure.latentsShape(path: path, found: latents.shape, expected: expected)
    }
  }

  /// The settings that denoised latents were made with, as they were given to `write`; nil for noise.
  package static func settings(ofDenoised path: String) throws -> [String: String]? {
    var metadata = try SafetensorsReader(path: path).metadata
    guard metadata.removeValue(forKey: stateKey) == "denoised" else { return nil }
    return metadata
  }

  /// Writes noise to start from.
  package static func write(initial latents: Tensor, to path: String) throws {
    try SafetensorsWriter.write([(name: "latents", tensor: latents)], to: path)
  }

  /// Writes the result of a denoising.
  package static func write(denoised latents: Tensor, metadata: [String: String], to path: String) throws {
    try SafetensorsWriter.write(
      [(name: "latents", tensor: latents)], metadata: metadata.merging([stateKey: "denoised"]) { $1 }, to: path)
  }
}
