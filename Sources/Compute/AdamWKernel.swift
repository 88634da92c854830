import CKernels

/// One update of AdamW (Loshchilov & Hutter 2019), element by element, as PyTorch computes it in float32.
package enum AdamWKernel {
  /// What is alike for all elements of a parameter.
  package struct Factors: Sendable {
    /// Of the gradient.
    package let gradientScale: Float
    package let firstBeta: Float
    package let secondBeta: Float
    /// 1 - learning rate x weight decay
    package let kept: Float
    /// learning rate / (1 - firstBeta^updates)
    package let stepSize: Float
    /// 1 / sqrt(1 - secondBeta^updates)
    package let rootScale: Float
    package let epsilon: Float

    package init(
      gradientScale: Float, firstBeta: Float, secondBeta: Float, kept: Float, stepSize: Float, rootScale: Float,
      epsilon: Float
    ) {
      self.gradientScale = gradientScale
      self.firstBeta = firstBeta
      self.secondBeta = secondBeta
      self.kept = kept
      self.stepSize = stepSize
      self.rootScale = rootScale
      self.epsilon = epsilon
    }

    fileprivate var forC: vap_adamw {
      vap_adamw(
        gradient_scale: gradientScale, beta1: firstBeta, beta2: secondBeta, kept: kept, step_size: stepSize,
        root_scale: rootScale, epsilon: epsilon)
    }
  }

  /// Elements of a block; memory bounds the speed, at four reads and three writes for each element.
  private static let block = 16_384

  /// Updates float32 values in one pass.
  ///
  /// - Parameters:
  ///   - parameter, first, second, gradient: `count` elements each, dense.
  ///   - rounded: gets the new values in bfloat16, where a model computes with those.
  package static func apply(
    _ parameter: UnsafeMutablePointer<Float>, first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>,
    gradient: UnsafePointer<Float>, count: Int, _ factors: Factors, rounded: UnsafeMutablePointer<UInt16>? = nil
  ) {
    // Sound: blocks are disjoint.
    nonisolated(unsafe) let (parameter, first, second, gradient) = (parameter, first, second, gradient)
    nonisolated(unsafe) let rounded = rounded
    let settings = factors.forC
    Workers.forEachBlock(of: block, in: count) { range in
      let start = range.lowerBound
      withUnsafePointer(to: settings) {
        kernels.adamw(parameter + start, first + start, second + start, gradient + start, $0, range.count)
      }
      if let rounded { kernels.narrow_bf16(rounded + start, parameter + start, range.count) }
    }
  }

  /// Updates values stored in bfloat16: each is widened, updated in float32 and rounded again.
  package static func apply(
    bfloat16 parameter: UnsafeMutablePointer<UInt16>, first: UnsafeMutablePointer<UInt16>,
    second: UnsafeMutablePointer<UInt16>, gradient: UnsafePointer<Float>, count: Int, _ factors: Factors
  ) {
    // Sound: as above.
    nonisolated(unsafe) let (parameter, first, second, gradient) = (parameter, first, second, gradient)
    let settings = factors.forC
    Workers.forEachBlock(of: block, in: count) { range in
      let (start, length) = (range.lowerBound, range.count)
      withScratch(3 * length) { wide in
        kernels.widen_bf16(wide, parameter + start, length)
        kernels.widen_bf16(wide + length, first + start, length)
        kernels.widen_bf16(wide + 2 * length, second + start, length)
        withUnsafePointer(to: settings) {
          kernels.adamw(wide, wide + length, wide + 2 * length, gradient + start, $0, length)
        }
        kernels.narrow_bf16(parameter + start, wide, length)
        kernels.narrow_bf16(first + start, wide + length, length)
        kernels.narrow_bf16(second + start, wide + 2 * length, length)
      }
    }
  }
}
