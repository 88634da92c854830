import Compute
import Tensors

/// A change of low rank to a linear map: x to scale B A x (Hu et al., "LoRA", 2021).
package struct LowRankAdapter: Sendable {
  /// A, `[rank, inputs]`.
  let down: Parameter
  /// B, `[outputs, rank]`.
  let up: Parameter
  let scale: Float

  /// `[..., inputs]` to `[..., outputs]`.
  func callAsFunction(_ input: Tensor) -> Tensor {
    // The factor costs least between the two maps.
    let inner = input.linear(down.tensor)
    return (scale == 1 ? inner : inner.scaled(by: scale)).linear(up.tensor)
  }
}

/// What an adapter is made from.
package struct AdapterValues: Sendable {
  package let down: Tensor
  package let up: Tensor
  package let scale: Float
  package let isTrainable: Bool

  package init(down: Tensor, up: Tensor, scale: Float, isTrainable: Bool) {
    self.down = down
    self.up = up
    self.scale = scale
    self.isTrainable = isTrainable
  }
}

/// Where the adapters of a model's linear maps come from.
package protocol AdapterSource: Sendable {
  /// The linear maps that it holds adapters for; those that no model asked for are faults.
  var paths: [String] { get }
  /// What to call the source in messages.
  var description: String { get }
  /// The adapter of the linear map at a path such as `transformer_blocks.0.attn1.to_q`, or nil if it has none.
  func adapter(at path: String, inputs: Int, outputs: Int) throws(AdapterFailure) -> AdapterValues?
}

/// The two parameters' places below a linear map's path, in the layout of diffusers and PEFT.
package enum AdapterKeys {
  package static let down = "lora_A.weight"
  package static let up = "lora_B.weight"

  /// Whether the key is an adapter's parameter.
  package static func contain(_ key: String) -> Bool { key.hasSuffix(".\(down)") || key.hasSuffix(".\(up)") }
}
