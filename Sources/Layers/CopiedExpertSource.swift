import Compute
import Tensors

/// A model without an expert as a model with one that starts as its copy: the published starting point.
///
/// Where the source has no tensor under an expert's key, its value is that of the key without the suffix. Embeddings that
/// only an expert has start at zero. A source that has the expert already is left as it is.
package struct CopiedExpertSource: ParameterSource {
  private let base: any ParameterSource
  private let suffix: String
  private let zeroPrefixes: [String]
  private let present: Set<String>

  /// - Parameters:
  ///   - suffix: what marks the expert's component of a key.
  ///   - zeroPrefixes: how the keys of the expert's own embeddings begin.
  package init(
    _ base: any ParameterSource, suffix: String, zeroPrefixes: [String] = ["effect_embeddings.", "ref_embeddings."]
  ) {
    self.base = base
    self.suffix = suffix
    self.zeroPrefixes = zeroPrefixes
    present = Set(base.keys)
  }

  package var keys: [String] { base.keys }
  package var description: String { base.description }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    try tensor(key, shape, initially: .usual(key, shape))
  }

  package func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor? {
    guard !present.contains(key) else { return try base.tensor(key, shape, initially: initially) }
    if zeroPrefixes.contains(where: key.hasPrefix) { return .zeros(shape) }
    return try base.tensor(key.replacing(suffix, with: ""), shape, initially: initially)
  }
}
