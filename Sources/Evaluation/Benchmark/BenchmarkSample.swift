/// A row of the benchmark: what to make, and what it is made from and compared with.
package struct BenchmarkSample: Sendable, Equatable {
  /// Index of the row; it names the sample's files.
  package var row: Int
  /// The target video, whose first frame is the image to animate.
  package var targetPath: String
  package var targetCaption: String
  package var referencePath: String
  package var referenceCaption: String
  /// The semantic condition (column `kind`), if the table has it.
  package var condition: String?
  /// The category of the condition, if it is known.
  package var category: String?
  /// What target and reference were rendered from, if they were.
  package var truth: SampleTruth?

  package init(
    row: Int, targetPath: String, targetCaption: String, referencePath: String, referenceCaption: String,
    condition: String? = nil, category: String? = nil, truth: SampleTruth? = nil
  ) {
    self.row = row
    self.targetPath = targetPath
    self.targetCaption = targetCaption
    self.referencePath = referencePath
    self.referenceCaption = referenceCaption
    self.condition = condition
    self.category = category
    self.truth = truth
  }
}
