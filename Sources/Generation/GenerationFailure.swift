import Compute
import Runtime
import Schedulers
import Tensors

/// A generation that cannot go on.
package enum GenerationFailure: Failure, Equatable {
  case notFinite(step: Int, of: Int, place: String)
  /// - Parameter latents: where they are kept; nil if nowhere.
  case notFiniteFrames(latents: String?)
  case latentsShape(path: String, found: Shape, expected: Shape)
  case noLatents(path: String)
  case notFiniteLatents(path: String)
  case noImage
  case notEnoughMemory(needed: Int, budget: Int, advice: String)
  case notEnoughAddressSpace(needed: Int, left: Int)
  case schedulerDoesNotFit(SamplingMethod, fitting: [SamplingMethod])

  package var category: FailureCategory {
    switch self {
    case .notFinite, .notFiniteFrames, .latentsShape, .noLatents, .notFiniteLatents: .badInput
    case .notEnoughMemory, .notEnoughAddressSpace: .resources
    case .schedulerDoesNotFit, .noImage: .usage
    }
  }

  package var message: String {
    switch self {
    case .notFinite(let step, let count, let place):
      "step \(step) of \(count): values of \(place) are not numbers (NaN or infinite); check the weights with "
        + "`vap inspect --strict`, and use bfloat16 or float32 weights instead of float16"
    case .notFiniteFrames(let latents):
      "the decoded frames are not all numbers (NaN or infinite), so no video was written; "
        + (latents.map { "the latents are kept in \($0); " } ?? "")
        + "float16 autoencoder weights overflow, use bfloat16 or float32"
    case .latentsShape(let path, let found, let expected):
      "\(path): latents of shape \(found) do not fit this size and model, which need \(expected)"
    case .noLatents(let path): "\(path): holds no floating-point tensor named 'latents'"
    case .notFiniteLatents(let path): "\(path): the latents are not all numbers (NaN or infinite)"
    case .noImage: "the image is missing: the picture whose subject the new video shows"
    case .notEnoughMemory(let needed, let budget, let advice):
      "this size needs \(byteText(needed)) of memory and the budget is \(byteText(budget)); \(advice)"
    case .notEnoughAddressSpace(let needed, let left):
      "this size needs \(byteText(needed)) of address space, where weight files count in full, and `ulimit -v` leaves "
        + "\(byteText(left)); raise it by \(byteText(needed - left)), or lower height, width or frames"
    case .schedulerDoesNotFit(let method, let fitting):
      "the scheduler \(method.rawValue) does not go with this model's noise schedule; use "
        + fitting.map(\.rawValue).joined(separator: " or ")
    }
  }
}
