import Testing

@testable import Training

@Suite("Buckets of gradients")
struct GradientBucketsTests {
  @Test("the last parameters come first, up to the limit; a larger one has a bucket of its own")
  func buckets() {
    let plan = GradientBuckets(counts: [2, 3, 9, 1, 4], ranks: 1, limit: 5)
    #expect(plan.buckets.map(\.parameters) == [[3, 4], [2], [0, 1]])
    #expect(plan.buckets.map(\.places) == [[0..<1, 1..<5], [0..<9], [0..<2, 2..<5]])
    #expect(plan.bucketOfParameter == [2, 2, 1, 0, 0])
  }

  @Test("the largest parameters are shared out first, each to the rank with least; a rank's lie together")
  func owners() {
    let plan = GradientBuckets(counts: [4, 4, 10, 1, 5], ranks: 2, limit: 100)
    // 10 to rank 0; 5, 4 and 4 to rank 1, which has 9 before the last of them; 1 to rank 0.
    #expect(plan.owners == [1, 1, 0, 0, 1])
    let bucket = plan.buckets[0]
    #expect(bucket.parameters == [2, 3, 0, 1, 4])
    #expect(bucket.regions == [0..<11, 11..<24])
  }

  @Test("every element is some rank's, once", arguments: [1, 2, 3, 7])
  func complete(ranks: Int) {
    let counts = (0..<40).map { 1 + $0 * 37 % 101 }
    let plan = GradientBuckets(counts: counts, ranks: ranks, limit: 150)
    #expect(plan.buckets.flatMap(\.parameters).sorted() == Array(counts.indices))
    for bucket in plan.buckets {
      #expect(bucket.regions.map(\.count).reduce(0, +) == bucket.count)
      for (parameter, place) in zip(bucket.parameters, bucket.places) {
        #expect(place.count == counts[parameter])
        #expect(bucket.regions[plan.owners[parameter]].clamped(to: place) == place)
      }
      #expect(GradientBuckets.slices(of: bucket.count, ranks).map(\.count).reduce(0, +) == bucket.count)
    }
    let loads = (0..<ranks).map { rank in counts.indices.reduce(0) { $0 + (plan.owners[$1] == rank ? counts[$1] : 0) } }
    #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 101)
  }
}
