import Runtime

/// A training that cannot go on.
package enum TrainingFailure: Failure, Equatable {
  case nothingToTrain
  case notFinite(step: Int, inRow: Int)
  case brokenWeights(key: String)
  case pastTheEnd(step: Int, of: Int)
  case notEnoughMemory(needed: Int, budget: Int, advice: String)
  case notEnoughAddressSpace(needed: Int, left: Int)
  case notEnoughForEncoding(needed: Int, left: Int)

  package var category: FailureCategory {
    switch self {
    case .nothingToTrain, .notFinite, .brokenWeights: .badInput
    case .pastTheEnd: .usage
    case .notEnoughMemory, .notEnoughAddressSpace, .notEnoughForEncoding: .resources
    }
  }

  package var message: String {
    switch self {
    case .nothingToTrain:
      "no weight of this model is to be trained: it has no expert, or 'train' or 'lora.targets' choose nothing of "
        + "it; start from a Video-As-Prompt checkpoint or change what trains"
    case .notFinite(let step, let count):
      "step \(step): for \(count) steps in a row the loss or a gradient was not finite; the weights are those before the "
        + "first of them; lower the learning rate, or check the clips"
    case .brokenWeights(let key):
      "'\(printable(key))' is not all numbers (NaN or infinite), so no checkpoint was written over the earlier ones; "
        + "lower the learning rate and resume"
    case .pastTheEnd(let step, let count):
      "the run is at step \(step) already, beyond --steps \(count); give more steps or another output folder"
    case .notEnoughMemory(let needed, let budget, let advice):
      "this training needs about \(byteText(needed)) of memory and the budget is \(byteText(budget)); \(advice)"
    case .notEnoughAddressSpace(let needed, let left):
      "this training needs about \(byteText(needed)) of address space beside the weights, and `ulimit -v` leaves "
        + "\(byteText(left)); raise it by \(byteText(needed - left)), lower height, width or frames, or train fewer "
        + "'layers' or 'train: lora'"
    case .notEnoughForEncoding(let needed, let left):
      "encoding a clip needs about \(byteText(needed)) of memory and \(byteText(left)) are left; set 'tiles: true', "
        + "fill the cache on another machine with `vap encode`, or lower height, width or frames"
    }
  }
}
