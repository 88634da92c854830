import Tensors
import Testing

/// Expects the recorded gradients of a function's inputs to agree with central differences.
///
/// The loss is the sum of the results times fixed random weights, added in float64.
///
/// - Parameters:
///   - inputs: the variables, each moved by itself.
///   - tolerance, samples: as in `expectSlopes`.
package func expectGradient(
  of inputs: [Tensor], tolerance: Double = 1e-3, samples: Int = 24, sourceLocation: SourceLocation = #_sourceLocation,
  _ function: ([Tensor]) throws -> Tensor
) throws {
  let variables = inputs.map { $0.dense().asVariable() }
  let output = try function(variables)
  let weights = Tensor.random(output.shape, seed: 99)
  try #require(output.isRecorded, "the function is not recorded", sourceLocation: sourceLocation)
  let gradients = try output.backward(weights)
  for (place, input) in inputs.enumerated() {
    let gradient = try #require(
      gradients[variables[place]], "input \(place) has no gradient", sourceLocation: sourceLocation)
    try expectSlopes(
      gradient, at: input, weights: weights, tolerance: tolerance, samples: samples, "input \(place)",
      sourceLocation: sourceLocation
    ) { moved in
      var inputs = inputs
      inputs[place] = moved
      return try function(inputs)
    }
  }
}

/// Expects `gradient` to agree with central differences of the sum of a function's results times `weights`.
///
/// The function computes in float32: its rounding (about 1e-7 of the terms) is divided by the step, and the truncation
/// of the difference grows with the step's square. A step of 2^-6, and Richardson's extrapolation from two steps (error
/// of the fourth order), keep both near 1e-5 for values of order one.
///
/// - Parameters:
///   - tolerance: relative to the largest slope, or to 1 if that is smaller.
///   - samples: about how many of the elements are tried.
package func expectSlopes(
  _ gradient: Tensor, at input: Tensor, weights: Tensor, tolerance: Double = 1e-3, samples: Int, _ name: String,
  sourceLocation: SourceLocation = #_sourceLocation, _ function: (Tensor) throws -> Tensor
) throws {
  #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
  let (values, slopes, weights) = (input.floats(), gradient.doubles(), weights.doubles())
  let scale = max(1, slopes.map(abs).max() ?? 1)
  for index in stride(from: 0, to: values.count, by: max(1, values.count / samples)) {
    func loss(_ distance: Float) throws -> Double {
      var moved = values
      moved[index] += distance
      let result = try function(Tensor(moved, shape: input.shape)).doubles()
      return zip(result, weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    func difference(_ step: Float) throws -> Double {
      let distance = Double(values[index] + step) - Double(values[index] - step)
      return (try loss(step) - loss(-step)) / distance
    }
    let expected = (4 * (try difference(0x1p-6)) - (try difference(0x1p-5))) / 3
    #expect(
      abs(slopes[index] - expected) <= tolerance * scale,
      "\(name), element \(index): \(slopes[index]), central difference \(expected)", sourceLocation: sourceLocation)
  }
}
