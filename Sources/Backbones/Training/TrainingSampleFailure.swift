import Compute
import Runtime
import Tensors

/// An encoded clip that a model cannot be trained on.
package enum TrainingSampleFailure: Failure, Equatable {
  case missingTensor(String)
  case shape(String, found: Shape, expected: Shape)
  case noReference

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .missingTensor(let name): "an encoded clip has no tensor '\(printable(name))'; encode the clips anew"
    case .shape(let name, let found, let expected):
      "an encoded clip's '\(printable(name))' has shape \(found), expected \(expected); encode the clips anew for this "
        + "model and size"
    case .noReference: "a sample has no reference clip, which the expert needs; check the manifest's references"
    }
  }
}

extension EncodedClip {
  /// A tensor that must have this shape.
  func tensor(_ name: String, shape: Shape) throws(TrainingSampleFailure) -> Tensor {
    guard let tensor = tensors[name] else { throw .missingTensor(name) }
    guard tensor.shape == shape, tensor.dtype.isWeight else {
      throw .shape(name, found: tensor.shape, expected: shape)
    }
    return tensor
  }
}
