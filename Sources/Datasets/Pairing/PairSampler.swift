import Compute

/// What one training sample is made of; rows are those of the manifest.
package struct PairSample: Sendable, Equatable {
  package let target: Int
  /// One to three, all different and none the target, in the order they are shown to the model.
  package let references: [Int]
  /// Whether the captions of target and references are left blank.
  package let dropsCaptions: Bool
}

/// Draws samples: which one has which number depends on the pool, the rules and nothing else.
///
/// So a run is resumed by its number alone, and ranks share an epoch by taking turns.
package struct PairSampler: Sendable {
  package let pool: PairPool
  package let rules: PairingRules

  package init(_ pool: PairPool, _ rules: PairingRules) {
    self.pool = pool
    self.rules = rules
  }

  /// The sample with a number from 0; each epoch of `pool.count` numbers has every target once.
  ///
  /// - Parameter attempt: counts the tries if videos of earlier ones cannot be read; later tries draw another target.
  package func sample(_ index: Int, attempt: Int = 0) -> PairSample {
    precondition(index >= 0 && attempt >= 0, "sample \(index), attempt \(attempt)")
    var generator = SampleStream.sample(index: index, attempt: attempt).generator(seed: rules.seed)
    let (epoch, place) = index.quotientAndRemainder(dividingBy: pool.count)
    let target: Int
    if attempt == 0 {
      let stream = SampleStream.epoch(rules.reordersEpochs ? epoch : 0)
      let order = KeyedPermutation(count: pool.count, seed: SampleStream.key(rules.seed), stream: stream.number)
      target = pool.targets[order[place]]
    } else {
      target = pool.targets[generator.drawIndex(below: pool.count)]
    }
    let dropsCaptions = generator.drawUniform() < rules.captionDropout
    return PairSample(target: target, references: references(of: target, &generator), dropsCaptions: dropsCaptions)
  }

  private func references(of target: Int, _ generator: inout RandomGenerator) -> [Int] {
    let candidates = pool.references(of: target)
    let wanted = min(rules.referenceCount, candidates.count)
    var places: [Int] = []
    var references: [Int] = []
    for drawn in 0..<wanted {
      // The place among those not drawn yet.
      var place = generator.drawIndex(below: candidates.count - drawn)
      for taken in places.sorted() where place >= taken { place += 1 }
      places.append(place)
      let isDropped = generator.drawUniform() < rules.referenceDropout
      if references.isEmpty || !isDropped { references.append(candidates[place]) }
    }
    return references
  }
}
