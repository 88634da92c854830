import Backbones
import Layers
import Tensors
import Testing

@testable import Training

@Suite("Memory of a training")
struct TrainingMemoryTests {
  /// A thousand weights, of which a hundred are trained.
  private let parameters = [
    Parameter(key: "a", tensor: .zeros([900])), Parameter(key: "b", tensor: .zeros([100]), isTrainable: true),
  ]

  private func memory(
    _ precision: Precision, averages: Bool = false, work: Int = 1000, validation: Int = 0, budget: Int = 1_000_000,
    addressSpace: Int? = nil
  ) -> TrainingMemory {
    TrainingMemory(
      parameters, precision: precision, keepsAverages: averages, work: work,
      stages: [StageMemory(name: "v", weights: validation, window: validation / 10, work: 0)], program: 50,
      budget: budget, addressSpace: addressSpace)
  }

  @Test(
    "weights, copies in another precision, moments, gradients and activations are counted",
    arguments: [(Precision.float32, 0, 800), (.mixed, 200, 1200), (.bfloat16, 200, 400)])
  func parts(precision: Precision, copies: Int, states: Int) {
    let memory = memory(precision)
    #expect([memory.weights, memory.copies, memory.states, memory.gradients] == [4000, copies, states, 400])
    let peak = 50 + 4000 + copies + states + 400 + 1000
    #expect(memory.peak == peak)
    #expect(self.memory(precision, averages: true).states == states + 400)
  }

  @Test("the line's parts are those of its sum")
  func summary() {
    let memory = memory(.mixed, averages: true, validation: 5000)
    let parts = memory.program + memory.weights + memory.copies + memory.states + memory.gradients + memory.work
    #expect(parts + memory.validation == memory.peak)
    for part in ["program", "weights", "optimizer", "gradients", "activations", "validation"] {
      #expect(memory.summary.contains("\(part) "), "\(memory.summary)")
    }
  }

  @Test("a validation's encoders count besides a step, as far restricted as the budget asks")
  func validation() {
    #expect(memory(.float32, validation: 5000).peak == 50 + 4000 + 800 + 1400 + 5000)
    #expect(memory(.float32, validation: 5000, budget: 7000).peak == 50 + 4000 + 800 + 1400 + 500)
    #expect(memory(.float32, budget: 7000).validationBudget == 7000 - 50 - 4000 - 800)
  }

  @Test("R05: in a limited address space all that comes beside the model counts, weight files of a validation in full")
  func addressSpace() throws {
    let growth = 200 + 1200 + 400 + 1000 + 5000
    try memory(.mixed, validation: 5000, budget: 9000, addressSpace: growth).check()
    #expect(throws: TrainingFailure.notEnoughAddressSpace(needed: growth, left: growth - 1)) {
      try memory(.mixed, validation: 5000, budget: 9000, addressSpace: growth - 1).check()
    }
  }

  @Test("R04: a training that does not fit is refused with the numbers and what would help")
  func refused() throws {
    try memory(.float32, budget: 6250).check()
    #expect(throws: TrainingFailure.self) { try memory(.float32, budget: 6249).check() }
    for (memory, advice) in [
      (memory(.float32, budget: 6249), "lora"), (memory(.float32, work: 100_000, budget: 9), "activations"),
      (memory(.float32, validation: 100_000, budget: 9), "validation"),
    ] {
      do {
        try memory.check()
        Issue.record("was not refused")
      } catch {
        #expect(error.category.rawValue == 4 && error.message.contains(advice), "\(error.message)")
      }
    }
  }
}
