// What the Wan autoencoder takes of memory besides its weights, its input and what it gives.
extension WanAutoencoderConfig {
  /// Chunks after which nothing new happens.
  private static let forecastChunks = 4

  /// Bytes at the peak of encoding a clip of pixels.
  package func encodingBytes(frames: Int, height: Int, width: Int) -> Int {
    let count = min((frames - 1) / WanAutoencoder.frameBatch + 1, Self.forecastChunks)
    var forecast = ChunkForecast()
    for index in 0..<count {
      forecast.begin(
        frames: index == 0 ? 1 : WanAutoencoder.frameBatch, height: height, width: width, channels: 3,
        isLast: index == count - 1)
      forecast.convolve(outputs: baseChannels)
      for (level, outputs) in channels.enumerated() {
        for _ in 0..<residualBlocks { forecast.addResidual(outputs: outputs) }
        guard level < halvesTime.count else { continue }
        forecast.resample(outputs: outputs, doubles: false)
        if halvesTime[level] { forecast.convolveTime(doubles: false) }
      }
      passMiddle(&forecast)
      forecast.convolve(outputs: 2 * latentChannels)
      forecast.end()
    }
    return forecast.peakBytes
  }

  /// Bytes at the peak of decoding to a clip of pixels.
  package func decodingBytes(frames: Int, height: Int, width: Int) -> Int {
    let count = min((frames - 1) / temporalRatio + 1, Self.forecastChunks)
    var forecast = ChunkForecast()
    for index in 0..<count {
      forecast.begin(
        frames: 1, height: height / spatialRatio, width: width / spatialRatio, channels: latentChannels,
        isLast: index == count - 1)
      forecast.convolve(outputs: channels[channels.count - 1])
      passMiddle(&forecast)
      for (level, outputs) in channels.enumerated().reversed() {
        for _ in 0...residualBlocks { forecast.addResidual(outputs: outputs) }
        guard level > 0 else { continue }
        if halvesTime[level - 1] { forecast.convolveTime(doubles: true) }
        forecast.resample(outputs: outputs / 2, doubles: true)
      }
      forecast.convolve(outputs: 3)
      forecast.end()
    }
    return forecast.peakBytes
  }

  private func passMiddle(_ forecast: inout ChunkForecast) {
    forecast.addResidual(outputs: channels[channels.count - 1])
    forecast.attend()
    forecast.addResidual(outputs: channels[channels.count - 1])
  }
}
