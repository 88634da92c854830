import Dispatch
import Layers
import Runtime
import Synchronization
import Tensors

/// The gradients of one update: those of this rank's samples, and of all ranks' in the end.
///
/// In the last backward pass gradients leave for the other ranks bucket by bucket, as soon as all of a bucket are complete,
/// while the pass goes on. Sums are taken in the ranks' order.
struct GradientReduction {
  private let parameters: [Parameter]
  private let plan: GradientBuckets
  private let collective: any Collective
  /// Whether a rank gets only the sums of the parameters whose state it keeps.
  private let isSharded: Bool
  /// Of the passes so far, but for what has left.
  private(set) var store = GradientStore()
  /// Complete gradients that wait for the others of their bucket.
  private var waiting: [Int: Tensor] = [:]
  private var isComplete: [Bool]
  private var hasGradient: [Bool]
  /// Parameters of each bucket that are not complete.
  private var missing: [Int]
  /// Of the buckets that have left.
  private var sums: [BucketSum] = []
  /// One bucket after the other, so that all ranks exchange them in the same order.
  private let queue = DispatchQueue(label: "gradients on their way")

  init(_ parameters: [Parameter], _ plan: GradientBuckets, _ collective: any Collective, isSharded: Bool) {
    self.parameters = parameters
    self.plan = plan
    self.collective = collective
    self.isSharded = isSharded
    isComplete = parameters.map { _ in false }
    hasGradient = isComplete
    missing = plan.buckets.map(\.parameters.count)
  }

  /// Adds the gradients of a sample's loss times `scale`.
  ///
  /// - Parameter isLast: whether no other sample of the update follows on this rank.
  mutating func add(_ loss: Tensor, scale: Float, isLast: Bool) throws {
    let seed = Tensor.filled(loss.shape, with: scale)
    guard isLast, collective.size > 1 else { return try loss.backward(seed, into: &store) }
    // Taken out, because the pass holds it while gradients leave.
    var store = self.store
    self.store = GradientStore()
    try loss.backward(seed, into: &store, completing: parameters.map(\.tensor)) { complete($0, $1) }
  }

  /// Adds the gradients of the last samples of the update, which other passes have found.
  mutating func addLast(_ found: GradientStore) {
    store.merge(found)
    guard collective.size > 1 else { return }
    for (index, parameter) in parameters.enumerated() { complete(index, store[parameter.tensor]) }
  }

  mutating func scale(by factor: Float) { store.scale(by: factor) }

  /// The loss and gradients of all ranks.
  ///
  /// Throws `Interrupted` on all ranks if one of them was. Where the loss is not finite, gradients are of no use.
  ///
  /// - Parameters:
  ///   - loss: of this rank's samples.
  ///   - isInterrupted: whether this rank could not make its share.
  /// - Returns: for each parameter the sum of its gradients; nil where there is none, or where it is another rank's.
  mutating func finish(loss: Double, isInterrupted: Bool) throws -> (loss: Double, gradients: [Tensor?]) {
    guard collective.size > 1 else {
      if isInterrupted { throw Interrupted() }
      return (loss, parameters.map { store[$0.tensor] })
    }
    for index in parameters.indices where !isComplete[index] { complete(index, nil) }
    queue.sync {}
    let sums = try self.sums.map { try $0.value() }
    let shares = hasGradient.map { $0 ? 1.0 : 0 }
    let agreed = try collective.sum([loss, isInterrupted ? 1 : 0] + shares)
    guard agreed[1] == 0 else { throw Interrupted() }
    var gradients = [Tensor?](repeating: nil, count: parameters.count)
    for (bucket, sum) in zip(plan.buckets, sums) {
      let start = wanted(bucket)[collective.rank].lowerBound
      for (index, place) in zip(bucket.parameters, bucket.places) where agreed[2 + index] > 0 && isWanted(index) {
        gradients[index] = sum.sliced(0, place.lowerBound - start..<place.upperBound - start)
          .reshaped(parameters[index].shape)
      }
    }
    return (agreed[0], gradients)
  }

  private func isWanted(_ parameter: Int) -> Bool { !isSharded || plan.owners[parameter] == collective.rank }

  /// The elements whose sums a rank is to get, by rank.
  private func wanted(_ bucket: GradientBuckets.Bucket) -> [Range<Int>] {
    isSharded ? bucket.regions : bucket.regions.map { _ in 0..<bucket.count }
  }

  private mutating func complete(_ parameter: Int, _ gradient: Tensor?) {
    isComplete[parameter] = true
    hasGradient[parameter] = gradient != nil
    waiting[parameter] = gradient
    missing[plan.bucketOfParameter[parameter]] -= 1
    while sums.count < missing.count, missing[sums.count] == 0 { send(plan.buckets[sums.count]) }
  }

  private mutating func send(_ bucket: GradientBuckets.Bucket) {
    let parts = bucket.parameters.map { index in
      (waiting.removeValue(forKey: index) ?? .zeros(parameters[index].shape)).reshaped([parameters[index].shape.count])
    }
    let (own, wanted, collective, sum) = (Tensor.concatenated(parts, axis: 0), wanted(bucket), collective, BucketSum())
    sums.append(sum)
    queue.async { sum.set(Result { try Self.sum(own, wanted: wanted, collective) }) }
  }

  /// The sum of all ranks' rows, of which each rank gets the elements that it wants.
  ///
  /// Each rank adds up a slice for all; so which sums a rank gets changes none of their bits.
  private static func sum(_ own: Tensor, wanted: [Range<Int>], _ collective: any Collective) throws -> Tensor {
    let (rank, size) = (collective.rank, collective.size)
    let slices = GradientBuckets.slices(of: own.count, size)
    let slice = slices[rank]
    let parts = Tensor(rowOf: size * slice.count, .float32)
    let places = (0..<size).map { $0 * slice.count..<($0 + 1) * slice.count }
    try collective.exchange(Transfer(own, giving: slices, to: parts, taking: places))
    var sum = parts.sliced(0, places[0])
    for place in places.dropFirst() { sum.accumulate(parts.sliced(0, place)) }
    let result = Tensor(rowOf: wanted[rank].count, .float32)
    try collective.exchange(
      Transfer(
        sum, giving: wanted.map { common($0, slice, from: slice.lowerBound) }, to: result,
        taking: slices.map { common($0, wanted[rank], from: wanted[rank].lowerBound) }))
    return result
  }

  /// What two ranges have in common, counted from `start`.
  private static func common(_ first: Range<Int>, _ second: Range<Int>, from start: Int) -> Range<Int> {
    let both = first.clamped(to: second)
    return both.isEmpty ? 0..<0 : both.lowerBound - start..<both.upperBound - start
  }
}

/// The sum of a bucket, once it is there.
private final class BucketSum: Sendable {
  private let result = Mutex<Result<Tensor, any Error>?>(nil)

  func set(_ value: Result<Tensor, any Error>) { result.withLock { $0 = value } }

  /// Call only after the bucket's exchange.
  func value() throws -> Tensor {
    guard let result = result.withLock({ $0 }) else { preconditionFailure("a bucket's sum is read before it is there") }
    return try result.get()
  }
}
