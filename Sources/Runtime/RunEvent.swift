/// What a long run tells whoever watches it.
package enum RunEvent: Sendable, Equatable {
  /// A new stage began, for example "denoise", of `units` units of work (0 if unknown).
  case stage(String, units: Int)
  /// Units of the current stage done so far.
  case progress(Int)
  /// Something the user should know that does not stop the run.
  case warning(String)
}

package typealias RunObserver = (RunEvent) -> Void
