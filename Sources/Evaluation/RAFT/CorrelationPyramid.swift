import Compute
import Tensors

/// Correlations of every pixel of one feature map with every pixel of another, at falling resolutions of the latter
/// (Teed & Deng, "RAFT", 2020).
package struct CorrelationPyramid: Sendable {
  private let levels: [Tensor]
  private let radius: Int
  private let height: Int
  private let width: Int

  /// Levels of the published models.
  static let levelCount = 4
  /// Features must be this large on each side for the last level to have more than a pixel, without which the published
  /// lookup divides by zero.
  static let smallestSide = 1 << levelCount

  /// - Parameters: first, second: feature maps `[1, H, W, C]`.
  package init(_ first: Tensor, _ second: Tensor, radius: Int) {
    let (height, width, channels) = (first.shape[1], first.shape[2], first.shape[3])
    precondition(first.shape == second.shape, "correlation of \(first.shape) with \(second.shape)")
    let queries = first.reshaped([height * width, channels]).scaled(by: 1 / Float(channels).squareRoot())
    var level = queries.linear(second.reshaped([height * width, channels])).reshaped([height * width, height, width])
    var levels = [level]
    for _ in 1..<Self.levelCount {
      level = level.averagePooled()
      levels.append(level)
    }
    self.levels = levels
    self.radius = radius
    self.height = height
    self.width = width
  }

  /// Channels of a lookup.
  static func channels(radius: Int) -> Int { levelCount * (2 * radius + 1) * (2 * radius + 1) }

  /// For each pixel the correlations around the place in the second map where `flow`, times `factor`, leads.
  ///
  /// - Parameter flow: `[1, H, W, 2]`, (x, y) in pixels of the feature maps.
  /// - Returns: `[1, H, W, channels]`.
  func lookedUp(along flow: Tensor, times factor: Float = 1) -> Tensor {
    let places = Tensor(
      (0..<height * width).flatMap { [Float($0 % width), Float($0 / width)] }, shape: flow.shape)
    let points = Tensor.combined(places, 1, flow, factor)
    return lookedUp(at: points)
  }

  /// - Parameter points: `[1, H, W, 2]`: for each pixel of the first map a place (x, y) in the second.
  package func lookedUp(at points: Tensor) -> Tensor {
    Tensor.windows(of: levels, around: points, radius: radius).reshaped([
      1, height, width, Self.channels(radius: radius),
    ])
  }
}
