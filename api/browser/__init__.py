"""Sessions of the web page: the refresh token in a cookie that no script reads, the access token in memory."""
