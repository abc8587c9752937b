"""The results of one or several outputs as one HTML file that needs neither a server nor the network."""
