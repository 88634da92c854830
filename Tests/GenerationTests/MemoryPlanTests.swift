import Backbones
import Runtime
import Testing

@testable import Generation

@Suite("Memory plan")
struct MemoryPlanTests {
  private let stages = [
    StageMemory(name: "denoise", weights: 100, window: 10, work: 50),
    StageMemory(name: "decode", weights: 20, window: 20, work: 90, tiledWork: 30),
  ]

  @Test("what fits runs without restrictions")
  func everythingFits() throws {
    let plan = try MemoryPlan(stages: stages, budget: 150)
    #expect(plan.paging == .keep)
    #expect(!plan.usesTiles)
    #expect(plan.peak == 150)
  }

  @Test("weights are paged before the autoencoder is tiled")
  func restrictions() throws {
    let paged = try MemoryPlan(stages: stages, budget: 120)
    #expect(paged.paging == .release)
    #expect(!paged.usesTiles)
    let tiled = try MemoryPlan(stages: stages, budget: 60)
    #expect(tiled.usesTiles)
    #expect(tiled.peak == 60)
  }

  @Test("R04: too small a budget is refused with the numbers and the stage")
  func refused() {
    #expect {
      try MemoryPlan(stages: stages, budget: 59)
    } throws: { error in
      guard case .notEnoughMemory(let needed, let budget, let advice)? = error as? GenerationFailure else {
        return false
      }
      return needed == 60 && budget == 59 && advice.contains("denoise")
    }
  }

  @Test("the machine has memory")
  func machine() { #expect(MachineMemory.limit > 1 << 28) }
}
