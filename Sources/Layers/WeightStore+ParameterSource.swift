import Checkpoints
import Compute
import Tensors

extension WeightStore: ParameterSource {
  package var keys: [String] { names }
  package var description: String { path }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    contains(key) ? try tensor(named: key) : nil
  }
}
