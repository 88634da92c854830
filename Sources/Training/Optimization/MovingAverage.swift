import Compute
import Layers
import Tensors

/// Exponential moving averages of parameters, in float32: average = decay average + (1 - decay) value.
package struct MovingAverage: Sendable {
  package let decay: Double
  /// By the parameters' keys.
  package private(set) var averages: [String: Tensor]

  /// Starts from the parameters' values, or goes on from saved averages of them.
  package init(decay: Double, of parameters: [Parameter], averages: [String: Tensor]? = nil) {
    self.decay = decay
    self.averages =
      averages
      ?? Dictionary(uniqueKeysWithValues: parameters.map { ($0.key, $0.tensor.detached.stored(as: .float32)) })
  }

  package mutating func follow(_ parameters: [Parameter]) {
    let (kept, taken) = (Float(decay), Float(1 - decay))
    for parameter in parameters {
      // Taken out, so that it has one owner and can be changed in place.
      guard var average = averages.removeValue(forKey: parameter.key) else { continue }
      let value = parameter.tensor.detached
      average.withMutableFloats { target in
        value.withFloats { source in
          // Sound: blocks are disjoint.
          nonisolated(unsafe) let (target, source) = (target, source)
          Workers.forEachBlock(of: 32_768, in: value.count) { range in
            let start = target + range.lowerBound
            kernels.combine(start, start, kept, source + range.lowerBound, taken, range.count)
          }
        }
      }
      averages[parameter.key] = average
    }
  }
}
