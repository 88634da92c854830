import Tensors

/// What the processes of a data-parallel run do together; every rank makes the same calls in the same order.
package protocol Collective: Sendable {
  /// Place of this process among `size`, from 0.
  var rank: Int { get }
  var size: Int { get }
  /// The sums over all ranks, element by element, with the same bits on every rank.
  func sum(_ tensors: [Tensor]) throws -> [Tensor]
  func sum(_ values: [Double]) throws -> [Double]
}

/// A run of one process.
package struct SingleProcess: Collective {
  package init() {}

  package var rank: Int { 0 }
  package var size: Int { 1 }
  package func sum(_ tensors: [Tensor]) -> [Tensor] { tensors }
  package func sum(_ values: [Double]) -> [Double] { values }
}
