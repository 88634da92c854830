import Tensors
import Testing

/// Expects equal shapes and `|actual - expected| <= absolute + relative * |expected|` for every element.
///
/// NaN is close to nothing. A failure reports the worst element: the one furthest outside of its tolerance.
package func expectClose(
  _ actual: Tensor, _ expected: Tensor, absolute: Double, relative: Double = 0, _ name: String = "tensor",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record("\(name): shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  var worst: (index: Int, excess: Double)?
  var failures = 0
  let (found, wanted) = (actual.doubles(), expected.doubles())
  for index in found.indices where found[index] != wanted[index] {
    let excess = abs(found[index] - wanted[index]) - (absolute + relative * abs(wanted[index]))
    guard !(excess <= 0) else { continue }
    failures += 1
    let rank = excess.isNaN ? Double.infinity : excess
    if rank > worst?.excess ?? -1 { worst = (index, rank) }
  }
  guard let worst else { return }
  Issue.record(
    """
    \(name): \(failures) of \(found.count) elements differ; worst at \(position(worst.index, in: actual.shape.extents)): \
    \(found[worst.index]), expected \(wanted[worst.index]), tolerance \(absolute) + \(relative) * |expected|
    """, sourceLocation: sourceLocation)
}

private func position(_ flat: Int, in extents: [Int]) -> [Int] {
  var rest = flat
  var result: [Int] = []
  for extent in extents.reversed() {
    result.insert(rest % extent, at: 0)
    rest /= extent
  }
  return result
}
