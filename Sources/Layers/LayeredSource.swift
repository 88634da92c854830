import Compute
import Tensors

/// One source's tensors over another's: an expert's file over the directory of the model it belongs to.
package struct LayeredSource: ParameterSource {
  private let top: any ParameterSource
  private let base: any ParameterSource
  private let topKeys: Set<String>

  package init(_ top: any ParameterSource, over base: any ParameterSource) {
    self.top = top
    self.base = base
    topKeys = Set(top.keys)
  }

  package var keys: [String] { Set(base.keys).union(topKeys).sorted() }
  package var description: String { "\(top.description) over \(base.description)" }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    try topKeys.contains(key) ? top.tensor(key, shape) : base.tensor(key, shape)
  }

  package func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor? {
    try topKeys.contains(key)
      ? top.tensor(key, shape, initially: initially) : base.tensor(key, shape, initially: initially)
  }
}
