import Checkpoints
import Compute
import Tensors
import VideoTransformers

/// Case `rope`: rotary tables of targets and references, whole or by sampled rows and sums.
struct RotaryCases {
  /// Full-size angles reach 50 rad with float32 frequencies.
  static let tolerance = Tolerance(absolute: 2e-5)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let configuration = try ConfigFile.decode(
      CogVideoXConfiguration.self, at: "\(goldens.checkpoint)/transformer/config.json")
    let tensors = try golden.openTensors()
    for item in golden.info["items"]?.array ?? [] {
      guard let name = item["name"]?.string, let height = item["height"]?.int, let width = item["width"]?.int,
        let frames = item["latent_frames"]?.int ?? item["frames"]?.int, let references = item["mot_num"]?.int
      else { throw golden.failure("has an item without name, size, frames or mot_num") }
      let patch = configuration.patchSize
      let headSize = item["head_dim"]?.int ?? configuration.headSize
      let base = (
        item["sample_height"]?.int ?? configuration.sampleHeight, item["sample_width"]?.int ?? configuration.sampleWidth
      )
      // Pixel sizes: the autoencoder takes 8 pixels to a latent.
      let grid = RotaryGrid(
        headSize: headSize, baseRows: base.0 / patch, baseColumns: base.1 / patch, frames: frames,
        rows: height / (8 * patch), columns: width / (8 * patch))
      if let crops = item["crops"]?.array?.compactMap(\.ints), crops.count == 2 {
        let crop = grid.cropRegion()
        comparison.compare("\(name).crops", [crop.top, crop.left], crops[0])
        comparison.compare("\(name).crops", [crop.top + crop.height, crop.left + crop.width], crops[1])
      }
      let isDiscrete = item["ref_type"]?.string?.hasPrefix("discrete") ?? false
      let table =
        references == 0
        ? grid.targetTable() : grid.referenceTable(count: references, isDiscrete ? .discrete : .temporalBias)
      try compare(table.cosines, "\(name).cos", tensors, rowsOf: name, &comparison)
      try compare(table.sines, "\(name).sin", tensors, rowsOf: name, &comparison)
    }
  }

  private func compare(
    _ table: Tensor, _ name: String, _ tensors: GoldenTensors, rowsOf item: String, _ comparison: inout Comparison
  ) throws {
    if let whole = try tensors.optional(name) { comparison.compare(name, table, whole, Self.tolerance) }
    if let rows = try tensors.optional("\(item).rows"), let sampled = try tensors.optional("\(name)_rows") {
      let picked = Tensor.concatenated(
        rows.integers().map { table.sliced(0, $0..<$0 + 1) }, axis: 0)
      comparison.compare("\(name)_rows", picked, sampled, Self.tolerance)
    }
    guard let sums = try tensors.optional("\(name)_colsum_f64") else { return }
    let (values, columns) = (table.floats(), table.shape[1])
    var totals = [Double](repeating: 0, count: columns)
    for index in values.indices { totals[index % columns] += Double(values[index]) }
    // A sum of n values, each within the tolerance.
    let tolerance = Tolerance(absolute: Self.tolerance.absolute * Double(table.shape[0]))
    comparison.compare("\(name)_colsum_f64", totals, sums.doubles(), tolerance)
  }
}
