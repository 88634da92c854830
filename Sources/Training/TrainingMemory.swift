import Backbones
import Layers
import Runtime
import Tensors

/// Estimated memory of a training, known before it begins.
///
/// A step's memory and that of a validation's encoders add up, since freed blocks are kept for reuse.
package struct TrainingMemory: Sendable, Equatable {
  /// What the process holds before the model is opened.
  package let program: Int
  /// All weights, as they lie in their files or are drawn.
  package let weights: Int
  /// The trained weights in the precision of the training, where that is not how they lie in their files.
  package let copies: Int
  /// What the optimizer remembers, and moving averages.
  package let states: Int
  package let gradients: Int
  /// Activations of a step.
  package let work: Int
  /// Of the most demanding stage of a validation, within the budget.
  package let validation: Int
  /// What libraries for video and matrices take once they are used, measured.
  package static let libraries = 24 << 20
  /// Bytes that may be used.
  package let budget: Int
  /// Bytes by which a validation may let the address space grow at most.
  private let validationAddressSpace: Int
  /// Bytes by which the address space may still grow; nil for no limit.
  private let addressSpace: Int?

  /// - Parameters:
  ///   - parameters: of the model as it is built, before training touches it.
  ///   - work: of one step, see `TrainableBackbone.trainingWork`.
  ///   - stages: of a validation, by what they need besides the transformer's weights.
  ///   - program: nil takes what the process holds now.
  ///   - budget: nil for what the machine, or the control group of this process, has.
  ///   - addressSpace: by how much it may still grow, with the model in it; nil for no limit.
  package init(
    _ parameters: [Parameter], precision: Precision, keepsAverages: Bool, work: Int, stages: [StageMemory],
    program: Int? = nil, budget: Int? = nil, addressSpace: Int? = nil
  ) {
    let trained = parameters.filter(\.isTrainable)
    let count = trained.reduce(0) { $0 + $1.shape.count }
    func bytes(_ tensor: Tensor) -> Int { tensor.count * tensor.dtype.byteCount }
    self.program = program ?? MachineMemory.resident
    weights = parameters.reduce(0) { $0 + bytes($1.tensor) }
    // Files are mapped and cannot be changed; the first update of a weight makes a copy.
    copies = trained.map(\.tensor).filter { $0.storage.isMapped || $0.dtype != precision.weights }
      .reduce(0) { $0 + $1.count * precision.weights.byteCount }
    let perWeight: Int =
      switch precision {
      case .float32: 8
      case .mixed: 12
      case .bfloat16: 4
      }
    states = count * (perWeight + (keepsAverages ? 4 : 0))
    gradients = count * 4
    self.work = work
    self.budget = budget ?? MachineMemory.limit
    self.addressSpace = addressSpace
    validationAddressSpace = stages.map { $0.addressSpace(usesTiles: true) }.max() ?? 0
    let left = self.budget - self.program - weights - copies - states
    validation =
      stages.map { stage in
        let peaks = [(RunContext.Paging.keep, false), (.release, false), (.release, true)].map { paging, usesTiles in
          stage.peak(paging: paging, usesTiles: usesTiles)
        }
        return peaks.first { $0 <= left } ?? peaks[2]
      }.max() ?? 0
  }

  /// Bytes at the most demanding moment.
  package var peak: Int { program + weights + copies + states + gradients + work + validation }

  /// Bytes by which the training lets the address space grow, once the model is in it.
  private var growth: Int { copies + states + gradients + work + validationAddressSpace }

  /// What a validation may use.
  package var validationBudget: Int { max(0, budget - program - weights - copies - states) }

  /// "memory: about 1.20 GiB of 23.40 GiB: weights …"
  package var summary: String {
    let parts = [
      ("program", program), ("weights", weights + copies), ("optimizer", states), ("gradients", gradients),
      ("activations", work),
      ("encoders and validation", validation),
    ]
    return "memory: about \(byteText(peak)) of \(byteText(budget)): "
      + parts.map { "\($0.0) \(byteText($0.1))" }.joined(separator: ", ")
  }

  /// Throws `TrainingFailure.notEnoughMemory` or `.notEnoughAddressSpace` if the training needs more than there is.
  package func check() throws(TrainingFailure) {
    guard peak > budget else {
      guard let addressSpace, growth > addressSpace else { return }
      throw .notEnoughAddressSpace(needed: growth, left: addressSpace)
    }
    let advice =
      if validation > gradients + work {
        "the validation clip is the largest part; lower height, width or frames, or raise --memory"
      } else if work > states + weights {
        "the activations are the largest part; lower height, width or frames, or raise --memory"
      } else {
        "weights and the optimizer's state are the largest part; train fewer 'layers' or 'train: lora', choose "
          + "'precision: bfloat16', or raise --memory"
      }
    throw .notEnoughMemory(needed: peak, budget: budget, advice: advice)
  }
}
