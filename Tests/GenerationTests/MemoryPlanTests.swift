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

  @Test("R05: in a limited address space weight files count in full, tiles help, and too little is refused")
  func addressSpace() throws {
    let stages = stages + [StageMemory(name: "encode", weights: 5, window: 5, mapped: 125, work: 60, tiledWork: 20)]
    #expect(try !MemoryPlan(stages: stages, budget: 300, addressSpace: 185).usesTiles)
    let tiled = try MemoryPlan(stages: stages, budget: 300, addressSpace: 184)
    // Memory itself is not short: with tiles, but without paging, there is no plan.
    #expect(tiled.usesTiles && tiled.peak == 60)
    #expect(try MemoryPlan(stages: stages, budget: 300, addressSpace: 150).usesTiles)
    #expect(throws: GenerationFailure.notEnoughAddressSpace(needed: 150, left: 149)) {
      try MemoryPlan(stages: stages, budget: 300, addressSpace: 149)
    }
    let failure = GenerationFailure.notEnoughAddressSpace(needed: 3 << 30, left: 1 << 30)
    #expect(failure.category == .resources && failure.message.contains("raise it by 2.00 GiB"))
  }
}
