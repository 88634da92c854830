import Compute
import Foundation
import Layers
import Tensors

/// What attention scores gain by the distance from query to key: one learned value per head and bucket of distances
/// (Raffel et al. 2020).
struct RelativePositionBias: Sendable {
  private let weight: Parameter
  private let maximumDistance: Int

  /// Key: `weight` `[buckets, A]`.
  init(_ scope: ParameterScope, _ configuration: T5EncoderConfiguration) {
    weight = scope.parameter("weight", [configuration.bucketCount, configuration.headCount])
    maximumDistance = configuration.maximumDistance
  }

  /// `[A, N, N]`: head, query, key.
  ///
  /// A view with one stored value per head and distance: rows overlap, each starting one value before the last one's.
  func callAsFunction(tokens: Int) -> Tensor {
    let (bucketCount, heads) = (weight.shape[0], weight.shape[1])
    precondition(!weight.isTrainable, "the bias of relative positions has no backward pass")
    let table = weight.tensor.floats()
    let distances = 2 * tokens - 1
    let buckets = (0..<distances).map { Self.bucket($0 - (tokens - 1), of: bucketCount, maximumDistance) }
    let values = Tensor(
      (0..<heads).flatMap { head in buckets.map { table[$0 * heads + head] } }, shape: [heads, distances])
    return Tensor(
      storage: values.storage,
      layout: Layout(shape: [heads, tokens, tokens], strides: [distances, -1, 1], offset: tokens - 1), dtype: .float32)
  }

  /// The bucket of a distance, key position minus query position.
  ///
  /// Half of the buckets are for keys after the query. Short distances have their own, longer ones share buckets of
  /// logarithmic width. The logarithm is float32 as published, because powers of two lie on the edges of buckets.
  static func bucket(_ distance: Int, of bucketCount: Int, _ maximumDistance: Int) -> Int {
    let half = bucketCount / 2
    let exact = half / 2
    let first = distance > 0 ? half : 0
    let length = abs(distance)
    guard length >= exact else { return first + length }
    let scale = Float(log(Double(maximumDistance) / Double(exact)))
    let position = log(Float(length) / Float(exact)) / scale * Float(half - exact)
    return first + min(half - 1, exact + Int(position))
  }
}
