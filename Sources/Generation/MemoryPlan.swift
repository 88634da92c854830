import Backbones
import Layers
import Runtime

/// How a run stays within a memory budget, decided before any work begins.
package struct MemoryPlan: Sendable, Equatable {
  package let budget: Int
  /// Whether weights stay in memory between steps or are read again block by block.
  package let paging: RunContext.Paging
  package let usesTiles: Bool
  /// Estimated peak of the most demanding stage.
  package let peak: Int
  /// Whether whole frames would not fit into the address space.
  package let isShortOfAddressSpace: Bool

  /// Chooses the least restriction that fits: everything in memory; then weights paged; then the autoencoder in tiles.
  ///
  /// - Parameters:
  ///   - budget: nil for what the machine, or the control group of this process, has.
  ///   - addressSpace: by how much it may still grow; nil for no limit.
  /// Throws `GenerationFailure.notEnoughMemory` or `.notEnoughAddressSpace` with the numbers if nothing fits.
  package init(stages: [StageMemory], budget: Int? = nil, addressSpace: Int? = nil) throws(GenerationFailure) {
    let budget = budget ?? MachineMemory.limit
    func growth(_ usesTiles: Bool) -> Int { stages.map { $0.addressSpace(usesTiles: usesTiles) }.max() ?? 0 }
    if let addressSpace, growth(true) > addressSpace {
      throw .notEnoughAddressSpace(needed: growth(true), left: addressSpace)
    }
    for (paging, usesTiles) in [(RunContext.Paging.keep, false), (.release, false), (.release, true)] {
      let peak = stages.map { $0.peak(paging: paging, usesTiles: usesTiles) }.max() ?? 0
      if peak <= budget, growth(usesTiles) <= addressSpace ?? .max {
        self.budget = budget
        self.paging = paging
        self.usesTiles = usesTiles
        self.peak = peak
        isShortOfAddressSpace = growth(false) > addressSpace ?? .max
        return
      }
    }
    let worst = stages.max { $0.peak(paging: .release, usesTiles: true) < $1.peak(paging: .release, usesTiles: true) }
    throw .notEnoughMemory(
      needed: worst?.peak(paging: .release, usesTiles: true) ?? 0, budget: budget,
      advice: "the stage '\(worst?.name ?? "")' is the largest; lower height, width or frames, use fewer "
        + "references, or allow more memory")
  }
}
