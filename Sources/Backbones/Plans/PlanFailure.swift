import Checkpoints
import Runtime

/// A training plan that does not fit a model.
package struct PlanFailure: Failure, Equatable {
  package let field: String
  package let why: String

  init(_ invalid: InvalidField) { (field, why) = (invalid.field, invalid.why) }

  package var category: FailureCategory { .usage }
  package var message: String { "the training's '\(printable(field))' \(printable(why))" }
}
